import type { CallMaker, Expr } from './expr.js';

/** A unit that times are cut down to. */
export type TruncateUnit = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second';

/**
 * Functions of dates and timestamps, hour to second of times too: `table.col('taken').time.year()`. As int32, by the clock of
 * the column's time zone, or as they are where it has none. Null for null.
 */
export class TimeMethods {
  readonly #of: Expr;
  readonly #call: CallMaker;

  constructor(of: Expr, call: CallMaker) {
    this.#of = of;
    this.#call = call;
  }

  /** The year of the Gregorian calendar; 0 is the year before year 1. */
  year(): Expr {
    return this.#call('time.year', [this.#of]);
  }

  /** The month, 1 to 12. */
  month(): Expr {
    return this.#call('time.month', [this.#of]);
  }

  /** The day of the month, 1 to 31. */
  day(): Expr {
    return this.#call('time.day', [this.#of]);
  }

  /** The hour, 0 to 23; 0 of a date. */
  hour(): Expr {
    return this.#call('time.hour', [this.#of]);
  }

  /** The minute, 0 to 59. */
  minute(): Expr {
    return this.#call('time.minute', [this.#of]);
  }

  /** The second, 0 to 59, without its fraction. */
  second(): Expr {
    return this.#call('time.second', [this.#of]);
  }

  /** The time at which the `unit` it lies in began, of the same type. Weeks begin on Monday. */
  truncate(unit: TruncateUnit): Expr {
    return this.#call('time.truncate', [this.#of], { unit });
  }
}
