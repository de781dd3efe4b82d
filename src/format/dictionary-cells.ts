import { type Data, type Dictionary, Vector } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import type { ValueArray } from '../arrow/layout.js';
import { type CellColumn, Cells, grown, trimmed } from './cells.js';

/** dictionary<index, value>: what its value type takes; what is written in one way is kept once, in first-seen order. */
export class DictionaryCells extends Cells {
  protected readonly expected = 'a value of its value type';
  readonly #values: Cells;
  readonly #seen = new Map<string, number>();
  #indices: ValueArray;

  /** @param make makes the cells of the distinct values. */
  constructor(column: CellColumn, make: (column: CellColumn) => Cells) {
    super(column);
    const { dictionary, indices } = column.type as Dictionary;
    this.#values = make({ ...column, type: dictionary, rows: 64 });
    this.#indices = new (indices.ArrayType as new (length: number) => ValueArray)(column.rows);
  }

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    this.#append(bytes, from, to, () => this.#values.appendNumber(bytes, from, to));
  }

  override appendText(bytes: Buffer, from: number, to: number): void {
    this.#append(bytes, from, to, () => this.#values.appendText(bytes, from, to));
  }

  override appendCell(bytes: Buffer, from: number, to: number): void {
    this.#append(bytes, from, to, () => this.#values.appendCell(bytes, from, to));
  }

  override appendBool(value: boolean): void {
    const bytes = Buffer.from(String(value));
    this.#append(bytes, 0, bytes.length, () => this.#values.appendBool(value));
  }

  data(): Data {
    const dictionary = new Vector([this.#values.data()]);
    const values = trimmed(this.#indices, this.length);
    return makeColumn(this.type, this.length, this.validity, { values, dictionary });
  }

  #append(bytes: Buffer, from: number, to: number, add: () => void): void {
    const written = bytes.toString('latin1', from, to);
    let index = this.#seen.get(written);
    if (index === undefined) {
      index = this.#values.length;
      add();
      this.#seen.set(written, index);
    }
    this.#put(index, () => this.refused('no more distinct values than its indices count', bytes, from, to));
  }

  #put(index: number, refused: () => Error): void {
    if (this.length >= this.#indices.length) this.#indices = grown(this.#indices, this.length + 1);
    const indices = this.#indices as Int32Array;
    indices[this.length] = typeof this.#indices[0] === 'bigint' ? (BigInt(index) as unknown as number) : index;
    if (Number(indices[this.length]) !== index) throw refused();
    this.length++;
  }

  protected override appendGap(): void {
    if (this.length >= this.#indices.length) this.#indices = grown(this.#indices, this.length + 1);
    this.length++;
  }
}
