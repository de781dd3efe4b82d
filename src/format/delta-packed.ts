/** A place in bytes, and the 64-bit number read last, as two halves. */
class Cursor {
  at: number;
  low = 0;
  high = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error('packed differences are cut short');
    return byte;
  }

  /** Reads a number of seven bits a byte, modulo 2^64. */
  varint(): void {
    let [low, high] = [0, 0];
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 24) high |= shift < 32 ? bits >>> (32 - shift) : shift < 64 ? bits << (shift - 32) : 0;
      if (byte < 0x80) break;
      if (shift > 63) throw new Error('a number is longer than 64 bits');
    }
    this.low = low;
    this.high = high;
  }

  /** As {@link varint}, for signed numbers: the sign is the lowest bit. */
  zigzag(): void {
    this.varint();
    const sign = -(this.low & 1);
    this.low = ((this.low >>> 1) | (this.high << 31)) ^ sign;
    this.high = (this.high >>> 1) ^ sign;
  }

  /** A number that counts something. */
  size(): number {
    this.varint();
    return this.high === 0 ? this.low >>> 0 : Number.POSITIVE_INFINITY;
  }
}

/**
 * Decodes `count` numbers of Parquet's DELTA_BINARY_PACKED encoding from byte `from` on, as `words` 32-bit words each (1 or
 * 2, the lower first), modulo their size. Returns where the bytes behind them begin.
 *
 * hyparquet's decoder takes BigInts a value for 64 bits, and cuts a first value of 33 bits, which unsigned columns have.
 *
 * @throws Error where the bytes end too soon or contradict themselves.
 */
export function unpackDeltas(bytes: Uint8Array, from: number, count: number, words: 1 | 2, out: Int32Array): number {
  const { cursor, blockSize, minis } = begin(bytes, from, count);
  const perMini = blockSize / minis;
  let [low, high] = [cursor.low, cursor.high];
  if (count === 0) return cursor.at;
  out[0] = low;
  if (words === 2) out[1] = high;
  for (let seen = 1; seen < count; ) {
    cursor.zigzag();
    const { low: leastLow, high: leastHigh } = cursor;
    const widths = cursor.at;
    cursor.at += minis;
    for (let mini = 0; mini < minis && seen < count; mini++) {
      const width = bytes[widths + mini]!;
      const wanted = Math.min(perMini, count - seen);
      const start = cursor.at;
      if (!(width <= 64) || start + Math.ceil((wanted * width) / 8) > bytes.length) {
        throw new Error('packed differences are cut short');
      }
      for (let value = 0, bit = 0; value < wanted; value++, seen++, bit += width) {
        const more = bitsAt(bytes, start, bit, Math.min(width, 32));
        const sum = (low >>> 0) + (leastLow >>> 0) + more;
        low = sum | 0;
        if (words === 1) out[seen] = low;
        else {
          const top = width > 32 ? bitsAt(bytes, start, bit + 32, width - 32) : 0;
          high = (high + leastHigh + top + Math.floor(sum / 2 ** 32)) | 0;
          out[2 * seen] = low;
          out[2 * seen + 1] = high;
        }
      }
      cursor.at = start + (perMini * width) / 8;
    }
  }
  return Math.min(cursor.at, bytes.length);
}

/**
 * Refuses a `count` for which the bytes from `from` on have too few blocks: it is known before memory is set aside for so many.
 *
 * @throws Error
 */
export function checkDeltas(bytes: Uint8Array, from: number, count: number): void {
  const { cursor, blockSize, minis } = begin(bytes, from, count);
  // A block takes a byte for its least difference, and one for the width of each part.
  const blocksMost = Math.ceil((bytes.length - cursor.at) / (1 + minis));
  if (count - 1 > blocksMost * blockSize) throw new Error('packed differences are cut short');
  if (8 * count > differencesBytesMax)
    throw new RangeError(`${8 * count} bytes of packed differences in one row group`);
}

const differencesBytesMax = 2 ** 31 - 1;

/** Reads what stands before the blocks of `count` differences, the first value included. */
function begin(bytes: Uint8Array, from: number, count: number): { cursor: Cursor; blockSize: number; minis: number } {
  const cursor = new Cursor(bytes, from);
  const blockSize = cursor.size();
  const minis = cursor.size();
  const stored = cursor.size();
  const perMini = blockSize / minis;
  cursor.zigzag();
  if (stored < count) throw new Error(`${stored} packed differences where ${count} are wanted`);
  // Miniblocks hold multiples of 32 values, in whole bytes.
  if (!(Number.isInteger(perMini) && perMini > 0 && perMini % 8 === 0 && minis <= bytes.length)) {
    throw new Error(`packed differences in blocks of ${blockSize} and ${minis} parts`);
  }
  return { cursor, blockSize, minis };
}

/** The `width` bits (32 at most) that begin `bit` bits behind byte `start`, as a number of no sign. */
function bitsAt(bytes: Uint8Array, start: number, bit: number, width: number): number {
  if (width === 0) return 0;
  let at = start + (bit >> 3);
  const shift = bit & 7;
  let value = bytes[at++]! >>> shift;
  let got = 8 - shift;
  while (got < width && got < 24) {
    value |= bytes[at++]! << got;
    got += 8;
  }
  if (got >= width) return width === 32 ? value >>> 0 : value & (2 ** width - 1);
  let whole = value >>> 0;
  for (; got < width; got += 8) whole += bytes[at++]! * 2 ** got;
  return width === 32 ? whole % 2 ** 32 : whole % 2 ** width;
}
