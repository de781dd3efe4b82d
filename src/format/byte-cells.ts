import { type Data, DataType } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { type CellColumn, Cells, grown, trimmed } from './cells.js';
import { FixedCells } from './number-cells.js';

/** Bytes from which a copy by the engine beats one by a loop. */
const copyLoopMax = 48;

/** A column of values of any length. A group of a text file has no more bytes than 32-bit offsets count. */
abstract class ByteCells extends Cells {
  #bytes: Uint8Array;
  #offsets: Int32Array;
  #end = 0;

  constructor(column: CellColumn) {
    super(column);
    this.#bytes = new Uint8Array(column.rows * 8);
    this.#offsets = new Int32Array(column.rows + 1);
  }

  data(): Data {
    const { type, length, validity } = this;
    const offsets = trimmed(this.#offsets, length + 1);
    const isWide = DataType.isLargeUtf8(type) || DataType.isLargeBinary(type);
    return makeColumn(type, length, validity, {
      offsets: isWide ? BigInt64Array.from(offsets, BigInt) : offsets,
      values: trimmed(this.#bytes, this.#end),
    });
  }

  protected appendBytes(bytes: Uint8Array, from: number, to: number): void {
    const end = this.#end + to - from;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, end);
    const target = this.#bytes;
    if (to - from > copyLoopMax) target.set(bytes.subarray(from, to), this.#end);
    else for (let at = from, into = this.#end; at < to; ) target[into++] = bytes[at++]!;
    this.#end = end;
    this.appendGap();
  }

  protected override appendGap(): void {
    this.length++;
    if (this.length >= this.#offsets.length) this.#offsets = grown(this.#offsets, this.length + 1);
    this.#offsets[this.length] = this.#end;
  }
}

/** utf8, large_utf8: text, and whatever else stands there as it is written. */
export class TextCells extends ByteCells {
  protected readonly expected = 'text';

  override appendText(bytes: Buffer, from: number, to: number): void {
    this.appendBytes(bytes, from, to);
  }

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    this.appendBytes(bytes, from, to);
  }

  override appendBool(value: boolean): void {
    const text = Buffer.from(String(value));
    this.appendBytes(text, 0, text.length);
  }
}

/** binary, large_binary: text in base64. */
export class BinaryCells extends ByteCells {
  protected readonly expected = 'base64';

  override appendText(bytes: Buffer, from: number, to: number): void {
    const found = decoded(bytes, from, to);
    if (found === undefined) throw this.refused(this.expected, bytes, from, to);
    this.appendBytes(found, 0, found.length);
  }
}

/** fixed_size_binary: text in base64, of just so many bytes. */
export class FixedBinaryCells extends FixedCells {
  protected readonly expected = 'base64 of as many bytes as the type has';

  override appendText(bytes: Buffer, from: number, to: number): void {
    const found = decoded(bytes, from, to);
    const at = this.room();
    if (found?.length !== (this.type as DataType & { byteWidth: number }).byteWidth) {
      throw this.refused(this.expected, bytes, from, to);
    }
    (this.values as Uint8Array).set(found, at);
    this.length++;
  }
}

/** bool: true and false; a cell in any case, and 1 and 0. */
export class BoolCells extends Cells {
  protected readonly expected = 'true or false';
  #bits: Uint8Array;

  constructor(column: CellColumn) {
    super(column);
    this.#bits = new Uint8Array((column.rows + 8) >> 3);
  }

  override appendBool(value: boolean): void {
    this.appendGap();
    const row = this.length - 1;
    if (value) this.#bits[row >> 3]! |= 1 << (row & 7);
  }

  override appendCell(bytes: Buffer, from: number, to: number): void {
    const word = to - from <= 32 ? bytes.toString('latin1', from, to).trim().toLowerCase() : 'neither';
    if (word === '') this.appendNull();
    else if (word === 'true' || word === '1') this.appendBool(true);
    else if (word === 'false' || word === '0') this.appendBool(false);
    else throw this.refused(this.expected, bytes, from, to);
  }

  data(): Data {
    const { type, length, validity } = this;
    return makeColumn(type, length, validity, { values: trimmed(this.#bits, (length + 7) >> 3) });
  }

  protected override appendGap(): void {
    if (this.length >> 3 >= this.#bits.length) this.#bits = grown(this.#bits, this.length >> 3);
    this.length++;
  }
}

function decoded(bytes: Buffer, from: number, to: number): Buffer | undefined {
  const text = bytes.toString('latin1', from, to);
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}
