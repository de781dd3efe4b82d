import { type Data, DataType } from 'apache-arrow';
import { valueReader } from '../../arrow/rows.js';

/** A column of a data set, and what is in it. */
export interface MdsColumnStats {
  readonly name: string;
  readonly encoding: string;
  /** In words. */
  readonly type: string;
  /**
   * What `least`, `mean` and `most` are of: the numbers themselves, NaN left out; the bytes of text and binary; the elements of
   * lists. Null for columns of which there is no such figure, as structs.
   */
  readonly measure: 'value' | 'bytes' | 'length' | null;
  /** Whole numbers of 64 bits that a float does not hold are text, with all their digits. */
  readonly least: number | string | null;
  readonly mean: number | null;
  readonly most: number | string | null;
  readonly nulls: number;
  readonly nans: number;
}

/** Adds up the figures of one column. */
export class ColumnMeter {
  readonly #column: Pick<MdsColumnStats, 'name' | 'encoding' | 'type'>;
  readonly #measure: MdsColumnStats['measure'];
  #least: number | bigint | undefined;
  #most: number | bigint | undefined;
  #sum = 0;
  #count = 0;
  #nulls = 0;
  #nans = 0;

  constructor(column: Pick<MdsColumnStats, 'name' | 'encoding' | 'type'>, type: DataType) {
    this.#column = column;
    this.#measure = measureOf(type);
  }

  /** Adds the values of `data`. */
  add(data: Data): void {
    this.#nulls += data.nullCount;
    if (this.#measure === null) return;
    if (this.#measure === 'value') {
      const read = valueReader(data);
      for (let row = 0; row < data.length; row++) this.#take(read(row) as number | bigint | null);
      return;
    }
    const size = sizeReader(data);
    for (let row = 0; row < data.length; row++) if (data.getValid(row)) this.#take(size(row));
  }

  stats(): MdsColumnStats {
    return {
      ...this.#column,
      measure: this.#measure,
      least: exact(this.#least),
      mean: this.#count === 0 ? null : this.#sum / this.#count,
      most: exact(this.#most),
      nulls: this.#nulls,
      nans: this.#nans,
    };
  }

  #take(value: number | bigint | null): void {
    if (value === null) return;
    if (Number.isNaN(value)) {
      this.#nans++;
      return;
    }
    if (this.#least === undefined || value < this.#least) this.#least = value;
    if (this.#most === undefined || value > this.#most) this.#most = value;
    this.#sum += Number(value);
    this.#count++;
  }
}

function measureOf(type: DataType): MdsColumnStats['measure'] {
  if (DataType.isInt(type) || DataType.isFloat(type)) return 'value';
  if (DataType.isUtf8(type) || DataType.isBinary(type)) return 'bytes';
  return DataType.isList(type) || DataType.isFixedSizeList(type) ? 'length' : null;
}

function sizeReader(data: Data): (row: number) => number {
  const { type } = data;
  if (DataType.isFixedSizeList(type)) {
    const { listSize } = type;
    return () => listSize;
  }
  const offsets = data.valueOffsets as ArrayLike<number>;
  return (row) => offsets[row + 1]! - offsets[row]!;
}

function exact(value: number | bigint | undefined): number | string | null {
  if (value === undefined) return null;
  if (typeof value === 'number') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
