import { isUtf8 } from 'node:buffer';
import { shown } from '../core/errors.js';
import type { GrowingBytes } from './growing-bytes.js';
import type { ValueEncoder } from './mds-number-encoder.js';
import { pythonFloat } from './mds-values.js';
import { jsonText } from './python-json.js';
import { decimalText, floatText } from './python-number.js';
import { RefusedValue } from './refused-value.js';

/** Gives the text that is stored of a value. @throws RefusedValue */
export type TextOf = (value: unknown) => string;

/** Text of whole code points. */
export function plainText(value: unknown): string {
  if (typeof value !== 'string') throw new RefusedValue('text', shown(value));
  if (!isWellFormed(value)) throw new RefusedValue('text of whole code points', 'half of a surrogate pair');
  return value;
}

/** A whole number of any size, in decimal. */
export function wholeText(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new RefusedValue('a whole number', shown(value));
  if (Number.isSafeInteger(value)) return String(value);
  throw new RefusedValue('a whole number', `${value}, beyond 2 ** 53: give a bigint`, 'value_out_of_range');
}

/** A float as Python writes it. */
export function numberText(value: unknown): string {
  if (typeof value === 'number') return floatText(value);
  throw new RefusedValue('a number', shown(value));
}

function decimal(value: unknown): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  const text = typeof value === 'string' ? decimalText(value) : undefined;
  if (text !== undefined) return text;
  throw new RefusedValue("a decimal number in text ('1.10', '4E+15'), a bigint or a whole number", shown(value));
}

const textOf: Readonly<Record<string, TextOf>> = {
  str: plainText,
  str_int: wholeText,
  str_float: numberText,
  str_decimal: decimal,
  json: (value) => jsonText(value),
};

/** What bytes must say, read as Latin-1; others need only be UTF-8. */
const saysIt: Readonly<Record<string, (text: string) => boolean>> = {
  str_int: (text) => /^[+-]?\d+$/.test(text),
  str_float: (text) => pythonFloat(text) !== undefined,
  str_decimal: (text) => decimalText(text) !== undefined,
};

/** Appends values of `str`, `str_int`, `str_float`, `str_decimal` and `json` in UTF-8, or that text's own bytes. */
export function textEncoder(name: string): ValueEncoder {
  const make = textOf[name]!;
  const says = saysIt[name];
  return (value, into) => {
    if (value instanceof Uint8Array) addBytes(value, says, into);
    else into.addText(make(value));
  };
}

function addBytes(value: Uint8Array, says: ((text: string) => boolean) | undefined, into: GrowingBytes): void {
  const isSound = says === undefined ? isUtf8(value) : says(Buffer.from(value).toString('latin1'));
  if (!isSound) throw new RefusedValue('the bytes of such a value', shown(value));
  into.add(value);
}

/** Of ES2024, which Node 20 has. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
