import { SpiralError, shown } from '../core/errors.js';

/** A moment: a Date, or microseconds since the epoch. */
export type AsOf = Date | number | bigint;

/** `asof` in microseconds since the epoch. @throws SpiralError `invalid_argument`. */
export function asOfMicros(asof: AsOf): number {
  if (typeof asof === 'bigint' || typeof asof === 'number' || asof instanceof Date) {
    const micros = asof instanceof Date ? asof.getTime() * 1000 : Number(asof);
    if (Number.isFinite(micros)) return micros;
  }
  throw new SpiralError(
    'invalid_argument',
    `Expected \`asof\` to be a Date or microseconds since the epoch, got ${shown(asof)}.`,
    { details: { found: shown(asof) } },
  );
}
