import { Data, DataType, type Dictionary, type RecordBatch, type Schema, Vector } from 'apache-arrow';
import { gatherBatch, gatherColumn } from './gather.js';
import { layoutOf } from './layout.js';
import { allRanges, oneRange } from './ranges.js';
import { recordBatch } from './record-batch.js';
import { columnSources } from './sources.js';

/**
 * Columns as one buffer and the places of their parts in it: what crosses between threads, transferred, not copied.
 * Dictionaries go by number, as many batches share them.
 */
export interface PackedColumns {
  readonly buffer: ArrayBuffer;
  readonly rows: number;
  /** Node by node: length, null count, and where its buffers begin in bytes (-1: there is none). */
  readonly places: Float64Array;
  readonly dictionaries: readonly number[];
}

/** A dictionary that the other side has not seen yet. */
export interface PackedDictionary {
  readonly number: number;
  readonly values: PackedColumns;
}

/** The number of a dictionary that is not there, as nothing refers to it. */
const noDictionary = -1;

/** Packs batches for one receiver, who unpacks all of them, in order, with one {@link BatchUnpacker}. */
export class BatchPacker {
  readonly #numbers = new Map<Vector, number>();

  /**
   * Takes `batch` apart. Where its columns share one buffer, as gathered ones do, that buffer is handed over and the
   * batch is lost once it is transferred; else they are copied into one. Dictionaries that the receiver must have first
   * are added to `fresh`.
   */
  pack(batch: RecordBatch, fresh: PackedDictionary[]): PackedColumns {
    const own = batch.data.children;
    if (sharedBuffer(own) !== undefined) return this.#packed(own, batch.numRows, fresh);
    const sources = own.map((data) => columnSources(data.type, [data]));
    const whole = gatherBatch(batch.schema, sources, oneRange(0, batch.numRows));
    return this.#packed(whole.data.children, batch.numRows, fresh);
  }

  #packed(columns: readonly Data[], rows: number, fresh: PackedDictionary[]): PackedColumns {
    const places: number[] = [];
    const dictionaries: number[] = [];
    for (const data of columns) this.#place(data, places, dictionaries, fresh);
    const buffer = sharedBuffer(columns) ?? new ArrayBuffer(0);
    return { buffer, rows, places: Float64Array.from(places), dictionaries };
  }

  #place(data: Data, places: number[], dictionaries: number[], fresh: PackedDictionary[]): void {
    const nulls = data.nullCount;
    places.push(data.length, nulls, nulls === 0 ? -1 : data.nullBitmap!.byteOffset);
    const { kind } = layoutOf(data.type);
    if (kind === 'bytes' || kind === 'list') places.push((data.valueOffsets as Int32Array).byteOffset);
    if (kind === 'bytes') places.push((data.values as Uint8Array).byteOffset, (data.values as Uint8Array).byteLength);
    if (kind === 'fixed' || kind === 'bits') places.push((data.values as Uint8Array).byteOffset);
    if (DataType.isDictionary(data.type)) dictionaries.push(this.#numberOf(data, fresh));
    else for (const child of data.children) this.#place(child, places, dictionaries, fresh);
  }

  #numberOf(data: Data, fresh: PackedDictionary[]): number {
    const { dictionary } = data;
    if (dictionary === undefined) return noDictionary;
    const known = this.#numbers.get(dictionary);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(dictionary, number);
    const sources = columnSources((data.type as Dictionary).dictionary, dictionary.data);
    const values = gatherColumn(sources, allRanges(sources.lengths));
    fresh.push({ number, values: this.#packed([values], values.length, fresh) });
    return number;
  }
}

/** Builds batches of `schema` over what a {@link BatchPacker} packed, without a copy. */
export class BatchUnpacker {
  readonly #schema: Schema;
  readonly #dictionaries = new Map<number, Vector>();
  readonly #pending = new Map<number, PackedColumns>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  /** Takes dictionaries that batches to come refer to. */
  learn(fresh: readonly PackedDictionary[]): void {
    for (const { number, values } of fresh) this.#pending.set(number, values);
  }

  unpack(packed: PackedColumns): RecordBatch {
    const cursor = new Cursor(packed);
    const children = this.#schema.fields.map((field) => this.#column(field.type, cursor));
    return recordBatch(this.#schema, children, packed.rows);
  }

  #column(type: DataType, cursor: Cursor): Data {
    const { buffer } = cursor.packed;
    const layout = layoutOf(type);
    const head = { type, length: cursor.next(), nulls: cursor.next(), validityAt: cursor.next(), buffer };
    const { length } = head;
    switch (layout.kind) {
      case 'fixed': {
        const values = new layout.array(buffer, cursor.next(), length * layout.stride);
        const dictionary = DataType.isDictionary(type) ? this.#dictionary(type, cursor) : undefined;
        return columnOf(head, undefined, values, [], dictionary);
      }
      case 'bits':
        return columnOf(head, undefined, new Uint8Array(buffer, cursor.next(), (length + 7) >> 3));
      case 'bytes': {
        const offsets = offsetsOf(layout.wide, buffer, cursor.next(), length);
        return columnOf(head, offsets, new Uint8Array(buffer, cursor.next(), cursor.next()));
      }
      case 'list': {
        const offsets = offsetsOf(layout.wide, buffer, cursor.next(), length);
        return columnOf(head, offsets, undefined, this.#children(type, cursor));
      }
      case 'fixedList':
      case 'struct':
        return columnOf(head, undefined, undefined, this.#children(type, cursor));
    }
  }

  #children(type: DataType, cursor: Cursor): Data[] {
    return type.children.map((field) => this.#column(field.type, cursor));
  }

  #dictionary(type: Dictionary, cursor: Cursor): Vector | undefined {
    const number = cursor.packed.dictionaries[cursor.dictionary++]!;
    if (number === noDictionary) return undefined;
    let dictionary = this.#dictionaries.get(number);
    if (dictionary === undefined) {
      const packed = this.#pending.get(number)!;
      dictionary = new Vector([this.#column(type.dictionary, new Cursor(packed))]);
      this.#dictionaries.set(number, dictionary);
      this.#pending.delete(number);
    }
    return dictionary;
  }
}

/** Goes through the places of packed columns. */
class Cursor {
  readonly packed: PackedColumns;
  dictionary = 0;
  #place = 0;

  constructor(packed: PackedColumns) {
    this.packed = packed;
  }

  next(): number {
    return this.packed.places[this.#place++]!;
  }
}

/** What is known of a column before its values. */
interface ColumnHead {
  readonly type: DataType;
  readonly length: number;
  readonly nulls: number;
  /** Where its validity begins in `buffer`; negative: there is none. */
  readonly validityAt: number;
  readonly buffer: ArrayBuffer;
}

function columnOf(
  { type, length, nulls, validityAt, buffer }: ColumnHead,
  offsets: unknown,
  values: unknown,
  children: Data[] = [],
  dictionary?: Vector,
): Data {
  const validity = validityAt < 0 ? undefined : new Uint8Array(buffer, validityAt, (length + 7) >> 3);
  return new Data(type, 0, length, nulls, [offsets, values, validity] as never, children, dictionary);
}

function offsetsOf(wide: boolean, buffer: ArrayBuffer, at: number, length: number): Int32Array | BigInt64Array {
  return wide ? new BigInt64Array(buffer, at, length + 1) : new Int32Array(buffer, at, length + 1);
}

/** The one buffer that all of `columns` lie in, from row 0 on; undefined where there is more than one, or a slice. */
function sharedBuffer(columns: readonly Data[]): ArrayBuffer | undefined {
  let shared: ArrayBufferLike | undefined;
  const same = (view: ArrayBufferView | undefined): boolean => {
    shared ??= view?.buffer;
    return view === undefined || view.buffer === shared;
  };
  const check = (data: Data): boolean =>
    data.offset === 0 &&
    same(data.nullCount === 0 ? undefined : data.nullBitmap) &&
    same(data.valueOffsets as Int32Array | undefined) &&
    same(data.values as Uint8Array | undefined) &&
    (DataType.isDictionary(data.type) || data.children.every(check));
  return columns.every(check) && shared instanceof ArrayBuffer ? shared : undefined;
}
