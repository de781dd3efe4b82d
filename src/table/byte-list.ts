import { storedBytes, storedObject, untrusted } from './stored-value.js';

/** Many short byte strings as two arrays: what a checkpoint keeps instead of an object for each. */
export interface ByteList {
  readonly bytes: Uint8Array;
  /** String `n` is `bytes` from `ends[n - 1]` (0 for the first) to `ends[n]`. */
  readonly ends: Uint32Array;
}

/** The first `count` strings of `before`, and `strings` behind them. */
export function appended(before: ByteList | undefined, count: number, strings: readonly Uint8Array[]): ByteList {
  const ends = new Uint32Array(count + strings.length);
  if (before !== undefined) ends.set(before.ends.subarray(0, count));
  const start = count === 0 ? 0 : ends[count - 1]!;
  let size = start;
  for (const [at, { length }] of strings.entries()) ends[count + at] = size += length;
  const bytes = new Uint8Array(size);
  if (before !== undefined) bytes.set(before.bytes.subarray(0, start));
  let place = start;
  for (const string of strings) {
    bytes.set(string, place);
    place += string.length;
  }
  return { bytes, ends };
}

/** String `at` of `list`: a view. */
export function stringAt({ bytes, ends }: ByteList, at: number): Uint8Array {
  return bytes.subarray(at === 0 ? 0 : ends[at - 1]!, ends[at]!);
}

/** `list` as it is stored. */
export function packByteList({ bytes, ends }: ByteList): object {
  return { bytes, ends: packNumbers(ends) };
}

/** The list of `count` strings that `raw` holds. @throws SpiralError `corrupt_log`. */
export function parseByteList(raw: unknown, count: number, what: string): ByteList {
  const list = storedObject(raw, what);
  const bytes = storedBytes(list['bytes'], what);
  const ends = parseUint32(list['ends'], count, `the ends of ${what}`);
  let before = 0;
  for (const end of ends) {
    if (end < before) throw untrusted(`the ends of ${what}`, 'ascending', end);
    before = end;
  }
  if (before !== bytes.length) throw untrusted(what, `${before} bytes`, bytes.length);
  return { bytes, ends };
}

/** Numbers as bytes, little-endian. */
export function packNumbers(numbers: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** `count` numbers of 32 bits that `raw` holds. @throws SpiralError `corrupt_log`. */
export function parseUint32(raw: unknown, count: number, what: string): Uint32Array {
  return new Uint32Array(numberBytes(raw, count * 4, what));
}

/** `count` whole numbers of up to 53 bits that `raw` holds. @throws SpiralError `corrupt_log`. */
export function parseWholes(raw: unknown, count: number, what: string): Float64Array {
  const numbers = new Float64Array(numberBytes(raw, count * 8, what));
  for (const number of numbers) {
    if (!Number.isSafeInteger(number) || number < 0) throw untrusted(what, 'whole numbers', number);
  }
  return numbers;
}

/** A copy, which is aligned as number arrays must be. */
function numberBytes(raw: unknown, size: number, what: string): ArrayBuffer {
  const bytes = storedBytes(raw, what);
  if (bytes.length !== size) throw untrusted(what, `${size} bytes`, bytes.length);
  return bytes.buffer as ArrayBuffer;
}
