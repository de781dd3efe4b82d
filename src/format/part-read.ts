import { Data, type DataType, type Vector } from 'apache-arrow';
import { layoutCounts, layoutOf } from '../arrow/layout.js';
import { SpiralError } from '../core/errors.js';
import type { ArrowFile } from './arrow-file.js';
import { placed } from './corrupt.js';
import type { StoredBatch } from './stored-batches.js';
import { type ReadOptions, readRange } from './stored-buffers.js';

/**
 * Rows `from … to` of batch number `batch` by the byte ranges they take: a read a buffer, two in turn where offsets say
 * where the values are, all others at once. Nothing is verified; no read leaves its buffer.
 *
 * @throws SpiralError `corrupt_file` for offsets out of order or beyond their values.
 */
export function readPart(
  file: ArrowFile,
  batch: number,
  from: number,
  to: number,
  request: ReadOptions & { readonly columns: readonly number[] },
  dictionaries: readonly (Vector | undefined)[],
): Promise<Data[]> {
  const reader = new PartReader(file, file.index.batches[batch]!, request);
  return Promise.all(
    request.columns.map(async (column, at) => {
      const field = file.schema.fields[column]!;
      try {
        return await reader.read(field.type, file.places[column]!, from, to, dictionaries[at]);
      } catch (error) {
        throw placed(error, file.where, `column '${field.name}' of batch ${batch}`, field.name);
      }
    }),
  );
}

/** The first node and buffer of a column or child. */
interface Place {
  readonly node: number;
  readonly buffer: number;
}

type Offsets = Int32Array | BigInt64Array;

class PartReader {
  readonly #file: ArrowFile;
  readonly #stored: StoredBatch;
  readonly #options: ReadOptions;

  constructor(file: ArrowFile, stored: StoredBatch, options: ReadOptions) {
    this.#file = file;
    this.#stored = stored;
    this.#options = options;
  }

  async read(type: DataType, place: Place, from: number, to: number, dictionary?: Vector): Promise<Data> {
    const nullCount = this.#stored.nodes[2 * place.node + 1]!;
    if (to > this.#stored.nodes[2 * place.node]!) throw damaged(`rows up to ${to} are wanted of a shorter child`);
    // Started together and awaited together: neither may be left to reject unheard.
    const [bitmap, [offsets, values, children]] = await Promise.all([
      nullCount === 0 ? undefined : this.#bits(place.buffer, from, to),
      this.#content(type, place, from, to),
    ]);
    const unknown = nullCount === 0 ? 0 : -1;
    const buffers = [offsets, values, bitmap] as never;
    return new Data(type, from & 7, to - from, unknown, buffers, children ?? [], dictionary);
  }

  /** Offsets, values and children. */
  async #content(
    type: DataType,
    place: Place,
    from: number,
    to: number,
  ): Promise<[offsets?: Offsets | undefined, values?: unknown, children?: Data[]]> {
    const layout = layoutOf(type);
    const own = place.buffer + 1;
    switch (layout.kind) {
      case 'fixed': {
        const width = layout.stride * layout.array.BYTES_PER_ELEMENT;
        const bytes = await this.#bytes(own, from * width, to * width);
        return [undefined, new layout.array(bytes.buffer, bytes.byteOffset, (to - from) * layout.stride)];
      }
      case 'bits':
        return [undefined, await this.#bits(own, from, to)];
      case 'bytes': {
        const { offsets, begin, end } = await this.#offsets(own, layout.wide, from, to);
        return [offsets, await this.#bytes(own + 1, begin, end)];
      }
      case 'list': {
        const { offsets, begin, end } = await this.#offsets(own, layout.wide, from, to);
        return [offsets, undefined, await this.#children(type, place.node + 1, own + 1, begin, end)];
      }
      case 'fixedList':
        return [
          undefined,
          undefined,
          await this.#children(type, place.node + 1, own, from * layout.size, to * layout.size),
        ];
      case 'struct':
        return [undefined, undefined, await this.#children(type, place.node + 1, own, from, to)];
    }
  }

  #children(type: DataType, node: number, buffer: number, from: number, to: number): Promise<Data[]> {
    return Promise.all(
      type.children.map((field) => {
        const place = { node, buffer };
        const counts = layoutCounts(field.type);
        node += counts.nodes;
        buffer += counts.buffers;
        return this.read(field.type, place, from, to);
      }),
    );
  }

  /** The offsets of rows `from … to`, counted from 0, and the range of their values. */
  async #offsets(
    buffer: number,
    wide: boolean,
    from: number,
    to: number,
  ): Promise<{ offsets: Offsets; begin: number; end: number }> {
    const width = wide ? 8 : 4;
    const bytes = await this.#bytes(buffer, from * width, (to + 1) * width);
    return wide
      ? rebasedWide(new BigInt64Array(bytes.buffer, bytes.byteOffset, to - from + 1))
      : rebased(new Int32Array(bytes.buffer, bytes.byteOffset, to - from + 1));
  }

  /** The bytes in which the bits `from … to` lie, the first of them in the first. */
  #bits(buffer: number, from: number, to: number): Promise<Uint8Array> {
    return this.#bytes(buffer, from >> 3, Math.ceil(to / 8));
  }

  async #bytes(buffer: number, from: number, to: number): Promise<Uint8Array> {
    const length = this.#stored.lengths[buffer]!;
    if (to > length) throw damaged(`bytes ${from} to ${to} are wanted of a buffer of ${length}`);
    const at = this.#stored.bodyOffset + this.#stored.offsets[buffer]! + from;
    return readRange(this.#file, at, Math.max(0, to - from), this.#options);
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
