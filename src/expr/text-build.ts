import type { Data, DataType } from 'apache-arrow';
import { makeColumn, offsetMax } from '../arrow/build-data.js';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import type { ByteView } from './byte-view.js';
import { isSound } from './overflow.js';
import type { ValidBits } from './strict.js';
import { validityOfBits } from './values.js';

/** A column of text or binary over bytes and offsets. */
export function bytesData(type: DataType, offsets: Int32Array, bytes: Uint8Array, valid: ValidBits): Data {
  const isLarge = typeWords(type).startsWith('large_');
  return makeColumn(type, offsets.length - 1, validityOfBits(valid), {
    offsets: isLarge ? BigInt64Array.from(offsets, BigInt) : offsets,
    values: bytes,
  });
}

/** The error for more text than a column holds. */
export function tooMuchText(): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected at most ${offsetMax} bytes of text from an expression in one batch. Use smaller batches.`,
    { details: { max: offsetMax } },
  );
}

/** Row by row, bytes `starts[row]` to `ends[row]` of `bytes`. */
export function slicedBytes(
  type: DataType,
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  valid: ValidBits,
): Data {
  const rows = starts.length;
  const offsets = new Int32Array(rows + 1);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    if (isSound(valid, row)) total += ends[row]! - starts[row]!;
    if (total > offsetMax) throw tooMuchText();
    offsets[row + 1] = total;
  }
  const out = new Uint8Array(total);
  for (let row = 0, at = 0; row < rows; row++) {
    if (!isSound(valid, row)) continue;
    for (let from = starts[row]!; from < ends[row]!; from++) out[at++] = bytes[from]!;
  }
  return bytesData(type, offsets, out, valid);
}

/** Text made row by row from strings. */
export class TextBuilder {
  #bytes: Buffer<ArrayBuffer>;
  #offsets: Int32Array;
  #rows = 0;
  #at = 0;

  constructor(rows: number, bytesGuess: number = rows * 16) {
    this.#offsets = new Int32Array(rows + 1);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(64, bytesGuess));
  }

  /** Adds a row. */
  add(text: string): void {
    this.#reserve(text.length * 3);
    this.#at += this.#bytes.write(text, this.#at, 'utf8');
    this.#end();
  }

  /** Adds a row made of `parts`, each a row of a column of bytes. */
  addBytes(parts: readonly (readonly [view: ByteView, row: number])[]): void {
    for (const [{ bytes, offsets }, row] of parts) {
      const from = offsets[row]!;
      const to = offsets[row + 1]!;
      this.#reserve(to - from);
      this.#bytes.set(bytes.subarray(from, to), this.#at);
      this.#at += to - from;
    }
    this.#end();
  }

  /** Adds a row of no text, which a null is. */
  addNothing(): void {
    this.#end();
  }

  /** The column of all rows so far. */
  data(type: DataType, valid?: ValidBits): Data {
    const bytes = this.#bytes.subarray(0, this.#at);
    return bytesData(type, this.#offsets.subarray(0, this.#rows + 1), bytes, valid);
  }

  #end(): void {
    if (this.#rows + 1 === this.#offsets.length) {
      const longer = new Int32Array(this.#offsets.length * 2 + 16);
      longer.set(this.#offsets);
      this.#offsets = longer;
    }
    this.#offsets[++this.#rows] = this.#at;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    if (this.#at + bytes > offsetMax) throw tooMuchText();
    const longer = Buffer.allocUnsafeSlow(Math.min(offsetMax, Math.max(this.#bytes.length * 2, this.#at + bytes)));
    longer.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = longer;
  }
}
