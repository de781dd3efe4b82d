import type { CallMaker, Expr, ExprLike } from './expr.js';

/** Functions of lists, of fixed size too: `table.col('tags').list.length()`. Null where an argument is null. */
export class ListMethods {
  readonly #of: Expr;
  readonly #call: CallMaker;

  constructor(of: Expr, call: CallMaker) {
    this.#of = of;
    this.#call = call;
  }

  /** Elements of the list, nulls among them, as int32. */
  length(): Expr {
    return this.#call('list.length', [this.#of]);
  }

  /** Whether an element equals `value`. Elements that are null equal nothing, and make nothing null. */
  contains(value: ExprLike): Expr {
    return this.#call('list.contains', [this.#of, value]);
  }

  /** The element at `index`, from 0; below 0 counts from the end. Null where there is none. */
  elementAt(index: ExprLike): Expr {
    return this.#call('list.element_at', [this.#of, index]);
  }

  /** The elements from `start` up to `end`, that one not included, or to the last; both as in JavaScript's `slice`. */
  slice(start: ExprLike, end?: ExprLike): Expr {
    return this.#call('list.slice', end === undefined ? [this.#of, start] : [this.#of, start, end]);
  }

  /** The elements of this list and of all `others`. Null where one list is null. */
  concat(...others: readonly ExprLike[]): Expr {
    return this.#call('list.concat', [this.#of, ...others]);
  }

  /** Structs of the first elements of all lists, the second ones, and so on; see `se.list.zip`. */
  zip(...others: readonly ExprLike[]): Expr {
    return this.#call('list.zip', [this.#of, ...others]);
  }
}
