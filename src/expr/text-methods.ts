import { knownOptions } from '../core/check.js';
import type { CallMaker, Expr, ExprLike } from './expr.js';

/** Searching: what a text index is made of, and how its matches are scored. Effects, which scans do not compute; see `se.udf`. */
export class TextMethods {
  readonly #of: Expr;
  readonly #call: CallMaker;

  constructor(of: Expr, call: CallMaker) {
    this.#of = of;
    this.#call = call;
  }

  /** The text as a field of an index, under `name`, cut into terms by `tokenizer`. */
  field(options: { readonly name?: string; readonly tokenizer?: string } = {}): Expr {
    knownOptions('text.field', options, ['name', 'tokenizer']);
    return this.#call('text.field', [this.#of], options);
  }

  /** How well the field matches `term`: a score, as float64. */
  find(term: ExprLike): Expr {
    return this.#call('text.find', [this.#of, term]);
  }

  /** A score times `factor`. */
  boost(factor: ExprLike): Expr {
    return this.#call('text.boost', [this.#of, factor]);
  }
}
