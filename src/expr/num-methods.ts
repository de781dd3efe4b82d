import type { CallMaker, Expr, ExprLike } from './expr.js';

/**
 * Functions of integers and floats: `table.col('x').num.abs()`. Null where an argument is null; decimals are to be cast first.
 * An integer that overflows is an error of the scan, `value_out_of_range`.
 */
export class NumMethods {
  readonly #of: Expr;
  readonly #call: CallMaker;

  constructor(of: Expr, call: CallMaker) {
    this.#of = of;
    this.#call = call;
  }

  /** The size of the number, of its own type. */
  abs(): Expr {
    return this.#call('num.abs', [this.#of]);
  }

  /** The number with the other sign; of an unsigned integer as the next wider signed one. */
  neg(): Expr {
    return this.#call('negate', [this.#of]);
  }

  /** -1, 0 or 1, of the number's own type; NaN for NaN. */
  sign(): Expr {
    return this.#call('num.sign', [this.#of]);
  }

  /** The nearest number with `digits` decimals (default 0; below 0 tens, hundreds …), halves away from zero. */
  round(digits = 0): Expr {
    return this.#call('num.round', digits === 0 ? [this.#of] : [this.#of, digits]);
  }

  /** The largest whole number that is not above it, of the number's own type. */
  floor(): Expr {
    return this.#call('num.floor', [this.#of]);
  }

  /** The least whole number that is not below it, of the number's own type. */
  ceil(): Expr {
    return this.#call('num.ceil', [this.#of]);
  }

  /** The square root, as float64; NaN below zero. */
  sqrt(): Expr {
    return this.#call('num.sqrt', [this.#of]);
  }

  /** e to the power of the number, as float64. */
  exp(): Expr {
    return this.#call('num.exp', [this.#of]);
  }

  /** The natural logarithm, as float64: NaN below zero, -Infinity at zero. */
  log(): Expr {
    return this.#call('num.log', [this.#of]);
  }

  /** The number to the power of `exponent`, as float64. */
  pow(exponent: ExprLike): Expr {
    return this.#call('num.pow', [this.#of, exponent]);
  }

  /** The number, or `low` where it is below, or `high` where it is above; a bound that is null is none. */
  clip(low: ExprLike, high: ExprLike): Expr {
    return this.#call('num.clip', [this.#of, low, high]);
  }
}
