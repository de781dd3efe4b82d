import { Data, type DataType, type Vector } from 'apache-arrow';
import { layoutCounts, layoutOf } from '../arrow/layout.js';
import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { fresh } from '../core/memory-pool.js';
import { readAtOnce, readsAtOnce } from '../storage/read-now.js';
import type { ArrowFile } from './arrow-file.js';
import { placed } from './corrupt.js';
import type { StoredBatch } from './stored-batches.js';
import { count, ownedBytesMin, type ReadOptions, readRange } from './stored-buffers.js';

/**
 * Rows `from … to` of batch number `batch` by the byte ranges they take: a range a buffer, two in turn where offsets say
 * where the values are, all others at once. Nothing is verified; no read leaves its buffer.
 *
 * @throws SpiralError `corrupt_file` for offsets out of order or beyond their values.
 */
export async function readPart(
  file: ArrowFile,
  batch: number,
  from: number,
  to: number,
  request: ReadOptions & { readonly columns: readonly number[] },
  dictionaries: readonly (Vector | undefined)[],
): Promise<Data[]> {
  const ranges = new BufferRanges(file, file.index.batches[batch]!, request);
  const parts: ColumnPart[] = [];
  const each = (work: (at: number) => void): void => {
    for (const [at, column] of request.columns.entries()) {
      const { name } = file.schema.fields[column]!;
      ranges.owner = { what: `column '${name}' of batch ${batch}`, name };
      try {
        work(at);
      } catch (error) {
        throw ranges.placed(error, ranges.owner);
      }
    }
  };
  each((at) => {
    const column = request.columns[at]!;
    parts.push(
      new ColumnPart(ranges, file.schema.fields[column]!.type, file.places[column]!, from, to, dictionaries[at]),
    );
  });
  while (ranges.areWanted) {
    const rest = ranges.fetch();
    if (rest !== undefined) await rest;
    each((at) => parts[at]!.goOn());
  }
  return parts.map((part) => part.data());
}

/** Whose range it is, for messages. */
interface Owner {
  readonly what: string;
  readonly name: string;
}

/** Bytes of a buffer that are wanted; they are there once they were fetched. */
interface WantedRange {
  readonly offset: number;
  readonly length: number;
  readonly owner: Owner;
  bytes: Uint8Array;
}

/** What is wanted of the buffers of a batch, fetched together. */
class BufferRanges {
  readonly stored: StoredBatch;
  /** Whose ranges are asked for. */
  owner: Owner = { what: '', name: '' };
  readonly #file: ArrowFile;
  readonly #options: ReadOptions;
  #wanted: WantedRange[] = [];

  constructor(file: ArrowFile, stored: StoredBatch, options: ReadOptions) {
    this.#file = file;
    this.stored = stored;
    this.#options = options;
  }

  get areWanted(): boolean {
    return this.#wanted.length > 0;
  }

  /** Bytes `from … to` of buffer number `buffer`. */
  bytes(buffer: number, from: number, to: number): WantedRange {
    const length = this.stored.lengths[buffer]!;
    if (to > length) throw damaged(`bytes ${from} to ${to} are wanted of a buffer of ${length}`);
    const offset = this.stored.bodyOffset + this.stored.offsets[buffer]! + from;
    const range = { offset, length: Math.max(0, to - from), owner: this.owner, bytes: nothing };
    if (range.length > 0) this.#wanted.push(range);
    return range;
  }

  /** The bytes in which the bits `from … to` lie, the first of them in the first. */
  bits(buffer: number, from: number, to: number): WantedRange {
    return this.bytes(buffer, from >> 3, Math.ceil(to / 8));
  }

  /** Fetches what is wanted, in this thread as far as the store can; for what is left there is something to wait for. */
  fetch(): Promise<unknown> | undefined {
    const { memory, owned, signal, counters } = this.#options;
    checkSignal(signal, 'The scan');
    const wanted = this.#wanted;
    this.#wanted = [];
    const { store, path } = this.#file;
    if (memory === undefined && !readsAtOnce(store, path)) return this.#wait(wanted, this.#options);
    for (const range of wanted) {
      range.bytes = memory?.allocate(range.length) ?? fresh(range.length);
      if (memory === undefined && range.length >= ownedBytesMin) owned?.push(range.bytes.buffer as ArrayBuffer);
    }
    const ranges = wanted.map(({ offset, bytes }) => ({ offset, into: bytes }));
    const read = readAtOnce(store, path, ranges) ?? 0;
    for (let at = 0; at < read; at++) count(counters, wanted[at]!.length);
    if (read === wanted.length) return undefined;
    return this.#wait(wanted.slice(read), { signal, counters });
  }

  /** `error` with its place, where it says that the file is damaged. */
  placed(error: unknown, { what, name }: Owner): unknown {
    return placed(error, this.#file.where, what, name);
  }

  #wait(wanted: readonly WantedRange[], options: ReadOptions): Promise<unknown> {
    return Promise.all(
      wanted.map(async (range) => {
        const place = range.bytes === nothing ? undefined : range.bytes;
        try {
          range.bytes = await readRange(this.#file, range.offset, range.length, options, place);
        } catch (error) {
          throw this.placed(error, range.owner);
        }
      }),
    );
  }
}

const nothing = new Uint8Array(0);

/** The first node and buffer of a column or child. */
interface Place {
  readonly node: number;
  readonly buffer: number;
}

type Offsets = Int32Array | BigInt64Array;

/** Rows of a column or child: what it wants is asked for at once, and what its offsets tell once these are there. */
class ColumnPart {
  readonly #ranges: BufferRanges;
  readonly #type: DataType;
  readonly #place: Place;
  readonly #from: number;
  readonly #to: number;
  readonly #dictionary: Vector | undefined;
  readonly #bitmap: WantedRange | undefined;
  /** Offsets that are not there yet, or were not looked at. */
  #offsetBytes: WantedRange | undefined;
  #offsets: Offsets | undefined;
  #values: WantedRange | undefined;
  #children: readonly ColumnPart[] = [];

  constructor(ranges: BufferRanges, type: DataType, place: Place, from: number, to: number, dictionary?: Vector) {
    [this.#ranges, this.#type, this.#place] = [ranges, type, place];
    [this.#from, this.#to, this.#dictionary] = [from, to, dictionary];
    const { nodes } = ranges.stored;
    if (to > nodes[2 * place.node]!) throw damaged(`rows up to ${to} are wanted of a shorter child`);
    if (nodes[2 * place.node + 1] !== 0) this.#bitmap = ranges.bits(place.buffer, from, to);
    const layout = layoutOf(type);
    const own = place.buffer + 1;
    switch (layout.kind) {
      case 'fixed': {
        const width = layout.stride * layout.array.BYTES_PER_ELEMENT;
        this.#values = ranges.bytes(own, from * width, to * width);
        break;
      }
      case 'bits':
        this.#values = ranges.bits(own, from, to);
        break;
      case 'bytes':
      case 'list': {
        const width = layout.wide ? 8 : 4;
        this.#offsetBytes = ranges.bytes(own, from * width, (to + 1) * width);
        break;
      }
      case 'fixedList':
        this.#children = this.#childrenAt(own, from * layout.size, to * layout.size);
        break;
      case 'struct':
        this.#children = this.#childrenAt(own, from, to);
        break;
    }
  }

  /** Asks for what is known to be wanted now that all that was asked for is there. */
  goOn(): void {
    if (this.#offsetBytes === undefined) {
      for (const child of this.#children) child.goOn();
      return;
    }
    const { buffer, byteOffset } = this.#offsetBytes.bytes;
    this.#offsetBytes = undefined;
    const layout = layoutOf(this.#type) as { readonly kind: 'bytes' | 'list'; readonly wide: boolean };
    const rows = this.#to - this.#from;
    const { offsets, begin, end } = layout.wide
      ? rebasedWide(new BigInt64Array(buffer, byteOffset, rows + 1))
      : rebased(new Int32Array(buffer, byteOffset, rows + 1));
    this.#offsets = offsets;
    const own = this.#place.buffer + 2;
    if (layout.kind === 'bytes') this.#values = this.#ranges.bytes(own, begin, end);
    else this.#children = this.#childrenAt(own, begin, end);
  }

  /** Its rows, once nothing is wanted any more. */
  data(): Data {
    const unknown = this.#bitmap === undefined ? 0 : -1;
    const buffers = [this.#offsets, this.#valuesArray(), this.#bitmap?.bytes] as never;
    const children = this.#children.map((child) => child.data());
    return new Data(this.#type, this.#from & 7, this.#to - this.#from, unknown, buffers, children, this.#dictionary);
  }

  #valuesArray(): unknown {
    if (this.#values === undefined) return undefined;
    const { bytes } = this.#values;
    const layout = layoutOf(this.#type);
    if (layout.kind !== 'fixed') return bytes;
    return new layout.array(bytes.buffer, bytes.byteOffset, (this.#to - this.#from) * layout.stride);
  }

  #childrenAt(buffer: number, from: number, to: number): ColumnPart[] {
    let place = { node: this.#place.node + 1, buffer };
    return this.#type.children.map((field) => {
      const own = place;
      const { nodes, buffers } = layoutCounts(field.type);
      place = { node: own.node + nodes, buffer: own.buffer + buffers };
      return new ColumnPart(this.#ranges, field.type, own, from, to);
    });
  }
}

function rebased(offsets: Int32Array): { offsets: Offsets; begin: number; end: number } {
  const begin = offsets[0]!;
  let end = begin;
  for (let at = 0; at < offsets.length; at++) {
    if (offsets[at]! < end || begin < 0) throw damaged('offsets are not in order');
    end = offsets[at]!;
    offsets[at] = end - begin;
  }
  return { offsets, begin, end };
}

function rebasedWide(offsets: BigInt64Array): { offsets: Offsets; begin: number; end: number } {
  const begin = offsets[0]!;
  let end = begin;
  for (let at = 0; at < offsets.length; at++) {
    if (offsets[at]! < end || begin < 0n) throw damaged('offsets are not in order');
    end = offsets[at]!;
    offsets[at] = end - begin;
  }
  return { offsets, begin: Number(begin), end: Number(end) };
}

function damaged(what: string): SpiralError {
  return new SpiralError('corrupt_file', `Expected a whole column, but ${what}.`, { details: { what } });
}
