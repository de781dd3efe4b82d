import { Data, DataType, type Vector } from 'apache-arrow';
import { assembleData } from '../arrow/flat.js';
import { gatherColumn } from '../arrow/gather.js';
import { layoutOf } from '../arrow/layout.js';
import { oneRange } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { ArrowFile } from './arrow-file.js';
import type { StoredBatch } from './arrow-index.js';
import { placed } from './corrupt.js';
import { type ReadOptions, readBuffers, type Verify } from './stored-buffers.js';

/** What to read of a file. */
export interface ReadRequest extends ReadOptions {
  /** Numbers of the columns wanted, in the order in which they are wanted. */
  readonly columns: readonly number[];
  readonly verify: Verify;
}

/**
 * Rows `from … to` (counted in the batch) of batch number `batch`.
 *
 * A whole batch is views over what was read. A part of one reads just its own bytes, where the file is uncompressed and
 * the buffers are verified; else the batch is read whole and the part copied, so that no more memory stays than was
 * asked for.
 */
export async function readRows(
  file: ArrowFile,
  batch: number,
  from: number,
  to: number,
  request: ReadRequest,
): Promise<Data[]> {
  const stored = file.index.batches[batch]!;
  if (from === 0 && to === stored.rows) return readBatch(file, batch, request);
  const small = (to - from) * 2 <= stored.rows;
  if (small && file.index.compression === 'none' && trusted(file, stored, request)) {
    return readPart(file, batch, from, to, request);
  }
  const whole = await readBatch(file, batch, request);
  return whole.map((data) => gatherColumn(columnSources(data.type, [data]), oneRange(from, to - from)));
}

async function readBatch(file: ArrowFile, batch: number, request: ReadRequest): Promise<Data[]> {
  const stored = file.index.batches[batch]!;
  const wanted = [...new Set(request.columns)].sort((a, b) => a - b).flatMap((column) => buffersOf(file, column));
  const [buffers, dictionaries] = await Promise.all([
    readBuffers(file, stored, wanted, request.verify, request),
    columnDictionaries(file, request.columns),
  ]);
  return request.columns.map((column, at) => {
    const { node, buffer } = file.places[column]!;
    const field = file.schema.fields[column]!;
    try {
      return assembleData(field.type, { nodes: stored.nodes, buffers, node: node * 2, buffer }, dictionaries[at]);
    } catch (error) {
      throw placed(error, file.where, `column '${field.name}' of batch ${batch}`);
    }
  });
}

function buffersOf(file: ArrowFile, column: number): number[] {
  const { buffer, buffers } = file.places[column]!;
  return Array.from({ length: buffers }, (_, at) => buffer + at);
}

/** Whether parts of the buffers may be read, as there is nothing left to verify. */
function trusted(file: ArrowFile, stored: StoredBatch, request: ReadRequest): boolean {
  if (request.verify !== 'first') return request.verify === 'never';
  const marks = file.verified(stored);
  return request.columns.every((column) =>
    buffersOf(file, column).every((at) => marks[at] === 1 || stored.lengths[at] === 0),
  );
}

function columnDictionaries(file: ArrowFile, columns: readonly number[]): Promise<(Vector | undefined)[]> {
  return Promise.all(
    columns.map((column) =>
      DataType.isDictionary(file.schema.fields[column]!.type) ? file.dictionary(column) : undefined,
    ),
  );
}

async function readPart(
  file: ArrowFile,
  batch: number,
  from: number,
  to: number,
  request: ReadRequest,
): Promise<Data[]> {
  const stored = file.index.batches[batch]!;
  const dictionaries = await columnDictionaries(file, request.columns);
  return Promise.all(
    request.columns.map(async (column, at) => {
      const { node, buffer } = file.places[column]!;
      const reader = new PartReader(file, stored, node, buffer, request);
      const field = file.schema.fields[column]!;
      try {
        return await reader.read(field.type, from, to, dictionaries[at]);
      } catch (error) {
        throw placed(error, file.where, `column '${field.name}' of batch ${batch}`);
      }
    }),
  );
}

/** Reads rows of one column by the byte ranges they take, node by node in the order of the format. */
class PartReader {
  readonly #file: ArrowFile;
  readonly #stored: StoredBatch;
  readonly #request: ReadRequest;
  #node: number;
  #buffer: number;

  constructor(file: ArrowFile, stored: StoredBatch, node: number, buffer: number, request: ReadRequest) {
    this.#file = file;
    this.#stored = stored;
    this.#node = node;
    this.#buffer = buffer;
    this.#request = request;
  }

  async read(type: DataType, from: number, to: number, dictionary?: Vector): Promise<Data> {
    const layout = layoutOf(type);
    const nullCount = this.#stored.nodes[2 * this.#node++ + 1]!;
    const validity = this.#buffer++;
    const bitmap = nullCount === 0 ? undefined : this.#bytes(validity, from >> 3, Math.ceil(to / 8));
    const make = async (offsets: unknown, values: unknown, children: Data[] = []): Promise<Data> => {
      const buffers = [offsets, values, await bitmap] as never;
      return new Data(type, from & 7, to - from, nullCount === 0 ? 0 : -1, buffers, children, dictionary);
    };
    switch (layout.kind) {
      case 'fixed': {
        const width = layout.stride * layout.array.BYTES_PER_ELEMENT;
        const bytes = await this.#bytes(this.#buffer++, from * width, to * width);
        return make(undefined, new layout.array(bytes.buffer, bytes.byteOffset, (to - from) * layout.stride));
      }
      case 'bits':
        return make(undefined, await this.#bytes(this.#buffer++, from >> 3, Math.ceil(to / 8)));
      case 'bytes': {
        const { offsets, begin, end } = await this.#offsets(layout.wide, from, to);
        return make(offsets, await this.#bytes(this.#buffer++, begin, end));
      }
      case 'list': {
        const { offsets, begin, end } = await this.#offsets(layout.wide, from, to);
        return make(offsets, undefined, [await this.read(type.children[0]!.type, begin, end)]);
      }
      case 'fixedList':
        return make(undefined, undefined, [
          await this.read(type.children[0]!.type, from * layout.size, to * layout.size),
        ]);
      case 'struct': {
        const children: Data[] = [];
        for (const field of type.children) children.push(await this.read(field.type, from, to));
        return make(undefined, undefined, children);
      }
    }
  }

  /** The offsets of rows `from … to`, counted from 0, and the range of their values. */
  async #offsets(wide: boolean, from: number, to: number): Promise<{ offsets: unknown; begin: number; end: number }> {
    const width = wide ? 8 : 4;
    const bytes = await this.#bytes(this.#buffer++, from * width, (to + 1) * width);
    const rows = to - from;
    if (wide) {
      const offsets = new BigInt64Array(bytes.buffer, bytes.byteOffset, rows + 1);
      const begin = offsets[0]!;
      const end = Number(offsets[rows]);
      for (let at = 0; at <= rows; at++) offsets[at]! -= begin;
      return { offsets, begin: Number(begin), end };
    }
    const offsets = new Int32Array(bytes.buffer, bytes.byteOffset, rows + 1);
    const begin = offsets[0]!;
    const end = offsets[rows]!;
    for (let at = 0; at <= rows; at++) offsets[at]! -= begin;
    return { offsets, begin, end };
  }

  #bytes(buffer: number, from: number, to: number): Promise<Uint8Array> {
    const length = Math.max(0, to - from);
    const { counters, signal } = this.#request;
    if (counters !== undefined && length > 0) {
      counters.bytes += length;
      counters.requests++;
    }
    const at = this.#stored.bodyOffset + this.#stored.offsets[buffer]! + from;
    return this.#file.store.getRange(this.#file.path, at, length, { signal });
  }
}
