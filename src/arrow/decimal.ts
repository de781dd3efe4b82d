/** Decimals as Arrow keeps them: a whole number, `unscaled`, that stands for `unscaled / 10 ** scale`. */

/** Characters of a decimal that are looked at: 76 digits, and the longest exponent of a double, fit many times over. */
const textMax = 400;
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/**
 * The unscaled form of the number written in `text`: `'malformed'` for what is no number, `'inexact'` where digits would be
 * lost at this `scale`.
 */
export function parseDecimal(text: string, scale: number): bigint | 'malformed' | 'inexact' {
  const found = text.length <= textMax ? pattern.exec(text) : null;
  const digits = found === null ? '' : `${found[2]}${found[3] ?? ''}`;
  if (found === null || digits === '') return 'malformed';
  const shift = Number(found[4] ?? 0) - (found[3]?.length ?? 0) + scale;
  const size = shifted(BigInt(digits), shift);
  if (size === undefined) return 'inexact';
  return found[1] === '-' ? -size : size;
}

/** The decimal in full, with exactly `scale` digits after the point: `'-0.050'`. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const sign = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The whole number in the 32-bit `words`, lowest first, two's complement, from `start` to `end`. */
export function readUnscaled(words: Uint32Array, start: number, end: number): bigint {
  let value = BigInt(words[end - 1]! | 0);
  for (let at = end - 2; at >= start; at--) value = (value << 32n) | BigInt(words[at]!);
  return value;
}

/** Writes `value` as {@link readUnscaled} reads it. */
export function writeUnscaled(words: Uint32Array, start: number, end: number, value: bigint): void {
  let rest = value;
  for (let at = start; at < end; at++) {
    words[at] = Number(BigInt.asUintN(32, rest));
    rest >>= 32n;
  }
}

function shifted(value: bigint, shift: number): bigint | undefined {
  if (value === 0n) return 0n;
  if (Math.abs(shift) > textMax) return undefined;
  if (shift >= 0) return value * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return value % divisor === 0n ? value / divisor : undefined;
}
