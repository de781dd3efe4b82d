import type { CallMaker, Expr, ExprLike } from './expr.js';

/**
 * Functions of text: `table.col('name').str.lower()`. Null where an argument is null. Characters are code points, text is
 * compared byte by byte. A dictionary column's values are computed once each.
 */
export class StrMethods {
  readonly #of: Expr;
  readonly #call: CallMaker;

  constructor(of: Expr, call: CallMaker) {
    this.#of = of;
    this.#call = call;
  }

  /** Characters of the text, as int32. */
  length(): Expr {
    return this.#call('str.length', [this.#of]);
  }

  /** The text in lower case, by Unicode's rules without a language. */
  lower(): Expr {
    return this.#call('str.lower', [this.#of]);
  }

  /** The text in upper case, by Unicode's rules without a language: `'ß'` becomes `'SS'`. */
  upper(): Expr {
    return this.#call('str.upper', [this.#of]);
  }

  /** The text without white space (Unicode's, and line ends) at both ends. */
  trim(): Expr {
    return this.#call('str.trim', [this.#of]);
  }

  /** Whether the text begins with `prefix`. */
  startsWith(prefix: ExprLike): Expr {
    return this.#call('str.starts_with', [this.#of, prefix]);
  }

  /** Whether the text ends with `suffix`. */
  endsWith(suffix: ExprLike): Expr {
    return this.#call('str.ends_with', [this.#of, suffix]);
  }

  /** Whether `part` is somewhere in the text. */
  contains(part: ExprLike): Expr {
    return this.#call('str.contains', [this.#of, part]);
  }

  /**
   * Whether the whole text is like `pattern`, a constant: `%` stands for any text, `_` for one character, and either for itself
   * after the character `escape`, if one is given.
   */
  like(pattern: string, options: { readonly escape?: string } = {}): Expr {
    return this.#call('str.like', [this.#of, pattern], options);
  }

  /**
   * Whether `pattern`, a constant, matches somewhere in the text: a JavaScript regular expression with the flag `u`, as text;
   * `^` and `$` bind it to the ends. `flags`: any of `i`, `m`, `s`. The engine backtracks: patterns of strangers may take very
   * long, as anywhere in JavaScript.
   */
  matches(pattern: string, options: { readonly flags?: string } = {}): Expr {
    return this.#call('str.matches', [this.#of, pattern], options);
  }

  /** The text with every `from`, taken literally, replaced by `to`; an empty `from` changes nothing. */
  replace(from: ExprLike, to: ExprLike): Expr {
    return this.#call('str.replace', [this.#of, from, to]);
  }

  /** The parts between `separator`s, a list of text; by an empty separator the characters. */
  split(separator: ExprLike): Expr {
    return this.#call('str.split', [this.#of, separator]);
  }

  /** The text and all `others`, one after the other. Null where one is null. */
  concat(...others: readonly ExprLike[]): Expr {
    return this.#call('str.concat', [this.#of, ...others]);
  }

  /** The part from character `start` on (from 0; below 0 counts from the end), `length` characters of it or all. */
  substr(start: ExprLike, length?: ExprLike): Expr {
    return this.#call('str.substr', length === undefined ? [this.#of, start] : [this.#of, start, length]);
  }
}
