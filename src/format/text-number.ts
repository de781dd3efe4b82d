/** Numbers as they stand in text: ASCII digits between two places of a buffer, read without making a string where that is exact. */

const zero = 0x30;
const nine = 0x39;
const minus = 0x2d;
const plus = 0x2b;
const point = 0x2e;
/** Digits that a double surely holds exactly. */
const exactDigits = 15;
/** Of `-9223372036854775808`. */
const int64CharactersMax = 20;
/** Powers of ten that doubles hold exactly, so that one division or multiplication rounds once (Clinger 1990). */
const powers: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= nine;

/** The whole number that the text is, a sign and up to fifteen digits; NaN for any other text. */
export function wholeAt(bytes: Buffer, from: number, to: number): number {
  let at = from;
  const sign = bytes[at] === minus;
  if (sign || bytes[at] === plus) at++;
  if (at >= to || to - at > exactDigits) return Number.NaN;
  let value = 0;
  for (; at < to; at++) {
    const digit = bytes[at]! - zero;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return sign ? -value : value;
}

/** The double nearest to the number that the text is; the text is a number for sure. */
export function floatAt(bytes: Buffer, from: number, to: number): number {
  let at = from;
  const sign = bytes[at] === minus;
  if (sign || bytes[at] === plus) at++;
  let value = 0;
  let digits = 0;
  let scale = 0;
  for (; at < to; at++) {
    const digit = bytes[at]! - zero;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    digits++;
  }
  if (bytes[at] === point && at < to) {
    const start = ++at;
    for (; at < to; at++) {
      const digit = bytes[at]! - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      digits++;
    }
    scale = at - start;
  }
  if (at < to || digits > exactDigits || scale >= powers.length) return slowFloat(bytes.toString('latin1', from, to));
  const size = scale === 0 ? value : value / powers[scale]!;
  return sign ? -size : size;
}

function slowFloat(text: string): number {
  const word = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(text);
  if (word === null) return Number(text);
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Whether the number ends in a letter, as NaN and Infinity do and no finite one does. */
export function isNumberWord(bytes: Buffer, to: number): boolean {
  return !isDigit(bytes[to - 1]) && bytes[to - 1] !== point;
}

/** What a piece of text is as a number: none, a whole one, or one with a fraction or exponent. */
export const noNumber = 0;
export const wholeNumberText = 1;
export const fractionText = 2;
export type NumberForm = typeof noNumber | typeof wholeNumberText | typeof fractionText;

/**
 * The form of the text as people and programs write numbers outside of JSON: a sign, digits, a point anywhere among them, an
 * exponent; or NaN and Inf(inity), in any case.
 */
export function numberForm(bytes: Buffer, from: number, to: number): NumberForm {
  let at = from;
  if (bytes[at] === minus || bytes[at] === plus) at++;
  const start = at;
  while (at < to && isDigit(bytes[at])) at++;
  let digits = at - start;
  if (at === to) return digits > 0 ? wholeNumberText : noNumber;
  if (bytes[at] === point) {
    const fraction = ++at;
    while (at < to && isDigit(bytes[at])) at++;
    digits += at - fraction;
  }
  if (digits === 0)
    return /^[+-]?(nan|inf|infinity)$/i.test(bytes.toString('latin1', from, Math.min(to, from + 12)))
      ? fractionText
      : noNumber;
  if (at < to && (bytes[at]! | 0x20) === 0x65) {
    at++;
    if (bytes[at] === minus || bytes[at] === plus) at++;
    const exponent = at;
    while (at < to && isDigit(bytes[at])) at++;
    if (at === exponent) return noNumber;
  }
  return at === to ? fractionText : noNumber;
}

/** Whether the whole number that the text is, without leading zeros, fits 64 bits with a sign. */
export function fitsInt64(bytes: Buffer, from: number, to: number): boolean {
  if (to - from <= 18) return true;
  if (to - from > int64CharactersMax) return false;
  const value = BigInt(bytes.toString('latin1', bytes[from] === plus ? from + 1 : from, to));
  return BigInt.asIntN(64, value) === value;
}
