import { Data, type RecordBatch, type Schema, Vector } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { bitBytes, copyBits, setBits } from './bits.js';
import { copyBytes, offsetsAt } from './copy-bytes.js';
import { copyFixed } from './copy-fixed.js';
import { CopyKernel } from './copy-kernel.js';
import { planCells } from './gather-cells.js';
import { fixedWidth } from './layout.js';
import { type Ranges, rowRanges, scaledRanges } from './ranges.js';
import { recordBatch } from './record-batch.js';
import { Slab } from './slab.js';
import { type ColumnSources, columnSources, type DictionaryValues } from './sources.js';
import type { BlockColumn } from './stored-cells.js';

/**
 * The rows that `ranges` name, as one batch that owns its memory: one allocation, column by column, no object a row.
 *
 * `columns` are the sources of each field of `schema`, see {@link columnSources}.
 *
 * @throws SpiralError `limit_exceeded` for text and binary that is too long for offsets of 32 bits.
 */
export function gatherBatch(schema: Schema, columns: readonly ColumnSources[], ranges: Ranges): RecordBatch {
  const slab = new Slab();
  const fills = columns.map((column) => planColumn(column, ranges, slab));
  slab.allocate();
  const children = fills.map((fill) => fill());
  return recordBatch(schema, children, ranges.total);
}

/** One column of {@link gatherBatch} on its own. */
export function gatherColumn(column: ColumnSources, ranges: Ranges): Data {
  const slab = new Slab();
  const fill = planColumn(column, ranges, slab);
  slab.allocate();
  return fill();
}

/** The rows of `batch` whose numbers are `rows`, in that order, as a batch that owns its memory. */
export function gatherRows(batch: RecordBatch, rows: Int32Array): RecordBatch {
  return gatherBatch(batch.schema, batchSources(batch.schema, [batch]), rowRanges(new Int32Array(rows.length), rows));
}

/** Bytes that {@link gatherBatch} would take for the same, without taking them. */
export function gatheredBytes(columns: readonly ColumnSources[], ranges: Ranges): number {
  const slab = new Slab();
  for (const column of columns) planColumn(column, ranges, slab);
  return slab.size;
}

/** The sources of every column of `batches`, which share one schema. */
export function batchSources(schema: Schema, batches: readonly RecordBatch[]): ColumnSources[] {
  return blockSources(
    schema,
    batches.map((batch) => batch.data.children),
  );
}

/** The sources of every column of blocks, which share one schema. */
export function blockSources(schema: Schema, blocks: readonly (readonly BlockColumn[])[]): ColumnSources[] {
  return schema.fields.map((field, index) =>
    columnSources(
      field.type,
      blocks.map((columns) => columns[index]!),
    ),
  );
}

/** Writes what was planned, once the slab has its memory. */
type Fill = () => Data;

function planColumn(column: ColumnSources, ranges: Ranges, slab: Slab): Fill {
  if (column.cells !== undefined) {
    return planCells(column.type, column.cells, ranges, slab, (bytes) => checkNarrow(column, bytes));
  }
  const validity = planValidity(column, ranges, slab);
  switch (column.layout.kind) {
    case 'fixed':
      return planFixed(column, ranges, slab, validity);
    case 'bits': {
      const at = slab.reserveBits(ranges.total);
      return () => {
        const bits = slab.bytes(at, bitBytes(ranges.total));
        copyBitRanges(column.bytes, column.bitOffsets, ranges, bits);
        return finish(column, ranges.total, [undefined, bits, validity()]);
      };
    }
    case 'bytes':
      return planBytes(column, ranges, slab, validity);
    case 'list':
      return planList(column, ranges, slab, validity);
    case 'fixedList': {
      const [items] = column.children;
      const { size } = column.layout;
      const child = isPlainFixed(items!)
        ? planFixed(items!, ranges, slab, noValidity, size)
        : planColumn(items!, scaledRanges(ranges, size), slab);
      return () => finish(column, ranges.total, [undefined, undefined, validity()], [child()]);
    }
    case 'struct': {
      const children = column.children.map((child) => planColumn(child, ranges, slab));
      return () =>
        finish(
          column,
          ranges.total,
          [undefined, undefined, validity()],
          children.map((fill) => fill()),
        );
    }
  }
}

const noValidity = (): undefined => undefined;

/** Whether each row of `column` is nothing but bytes of a fixed width. */
function isPlainFixed({ layout, hasNulls, cells }: ColumnSources): boolean {
  return layout.kind === 'fixed' && !hasNulls && cells === undefined;
}

/** @param size how many values of `column` follow each other in every row of `ranges`. */
function planFixed(
  column: ColumnSources,
  ranges: Ranges,
  slab: Slab,
  validity: () => Uint8Array | undefined,
  size = 1,
): Fill {
  const layout = column.layout as Extract<typeof column.layout, { kind: 'fixed' }>;
  const width = size * fixedWidth(layout);
  const at = slab.reserve(ranges.total * width);
  return () => {
    const bytes = ranges.total * width;
    const { addresses } = column;
    if (addresses !== undefined && CopyKernel.suits(ranges, bytes)) {
      addresses.kernel.copyFixed(addresses, ranges, width, slab.bytes(at, bytes));
    } else copyFixed(column.units!, ranges, layout.stride * size, slab.buffer, at);
    const values = new layout.array(slab.buffer, at, ranges.total * layout.stride * size);
    return finish(column, ranges.total * size, [undefined, values, validity()]);
  };
}

function planBytes(column: ColumnSources, ranges: Ranges, slab: Slab, validity: () => Uint8Array | undefined): Fill {
  const wide = (column.layout as { wide: boolean }).wide;
  const at = slab.reserve((ranges.total + 1) * (wide ? 8 : 4));
  const { addresses } = column;
  const isMany = addresses !== undefined && CopyKernel.suits(ranges, 0);
  const size = isMany ? addresses.kernel.totalBytes(addresses, ranges) : offsetsAt(column.offsets, ranges, undefined);
  const bytesAt = slab.reserve(size);
  return () => {
    if (!wide) checkNarrow(column, size);
    const offsets = newOffsets(wide, slab.buffer, at, ranges.total + 1);
    if (isMany && ranges.lengths === 1) addresses.kernel.writeOffsets(addresses, ranges, offsets as Int32Array);
    else offsetsAt(column.offsets, ranges, offsets);
    const bytes = slab.bytes(bytesAt, size);
    if (isMany && CopyKernel.suits(ranges, size)) addresses.kernel.copyBytes(addresses, ranges, bytes);
    else copyBytes(column.bytes, column.offsets, ranges, bytes);
    return finish(column, ranges.total, [offsets, bytes, validity()]);
  };
}

/** Bytes that offsets of 32 bits reach over. */
const narrowBytesMax = 0x7fff_ffff;

function checkNarrow({ type }: ColumnSources, bytes: number): void {
  if (bytes <= narrowBytesMax) return;
  throw new SpiralError(
    'limit_exceeded',
    `Expected the ${type} column of one record batch to take at most ${narrowBytesMax} bytes, got ${bytes}. Take fewer rows ` +
      'a batch (`batchRows`, `batchSize`), or the type with offsets of 64 bits.',
    { details: { type: String(type), bytes, max: narrowBytesMax } },
  );
}

function planList(column: ColumnSources, ranges: Ranges, slab: Slab, validity: () => Uint8Array | undefined): Fill {
  const wide = (column.layout as { wide: boolean }).wide;
  const at = slab.reserve((ranges.total + 1) * (wide ? 8 : 4));
  const total = offsetsAt(column.offsets, ranges, undefined);
  const start = new Int32Array(ranges.count);
  const lengths = new Int32Array(ranges.count);
  for (let range = 0; range < ranges.count; range++) {
    const offsets = column.offsets[ranges.source[range]!]!;
    const from = ranges.start[range]!;
    const rows = typeof ranges.lengths === 'number' ? ranges.lengths : ranges.lengths[range]!;
    start[range] = Number(offsets[from]);
    lengths[range] = Number(offsets[from + rows]) - start[range]!;
  }
  const inner: Ranges = { count: ranges.count, source: ranges.source, start, lengths, total };
  const child = planColumn(column.children[0]!, inner, slab);
  return () => {
    const offsets = newOffsets(wide, slab.buffer, at, ranges.total + 1);
    offsetsAt(column.offsets, ranges, offsets);
    return finish(column, ranges.total, [offsets, undefined, validity()], [child()]);
  };
}

function planValidity(column: ColumnSources, ranges: Ranges, slab: Slab): () => Uint8Array | undefined {
  if (!column.hasNulls) return () => undefined;
  const at = slab.reserveBits(ranges.total);
  return () => {
    const bits = slab.bytes(at, bitBytes(ranges.total));
    copyBitRanges(column.validity, column.bitOffsets, ranges, bits);
    return bits;
  };
}

/** Copies bits by ranges; a source that is undefined stands for all ones. */
function copyBitRanges(
  sources: readonly (Uint8Array | undefined)[],
  bitOffsets: readonly number[],
  ranges: Ranges,
  target: Uint8Array,
): void {
  const { count, source, start, lengths } = ranges;
  let to = 0;
  for (let at = 0; at < count; at++) {
    const from = source[at]!;
    const bits = sources[from];
    const rows = typeof lengths === 'number' ? lengths : lengths[at]!;
    if (bits === undefined) setBits(target, to, rows);
    else copyBits(bits, bitOffsets[from]! + start[at]!, target, to, rows);
    to += rows;
  }
}

/** The first is 0; the others are to be filled. */
function newOffsets(wide: boolean, buffer: ArrayBuffer, at: number, length: number): Int32Array | BigInt64Array {
  if (wide) {
    const offsets = new BigInt64Array(buffer, at, length);
    offsets[0] = 0n;
    return offsets;
  }
  const offsets = new Int32Array(buffer, at, length);
  offsets[0] = 0;
  return offsets;
}

type Buffers = [offsets: unknown, values: unknown, validity: Uint8Array | undefined];

function finish(column: ColumnSources, rows: number, buffers: Buffers, children: Data[] = []): Data {
  // -1: counted on first use, for a bitmap that may turn out to have no zero.
  const nullCount = buffers[2] === undefined ? 0 : -1;
  const dictionary = column.dictionary === undefined ? undefined : dictionaryVector(column.dictionary);
  return new Data(column.type, 0, rows, nullCount, buffers as never, children, dictionary);
}

const gathered = new WeakMap<DictionaryValues, Vector>();

/** The dictionary itself; one that has to be gathered is gathered once for all batches of its sources. */
function dictionaryVector(values: DictionaryValues): Vector {
  if ('vector' in values) return values.vector;
  let vector = gathered.get(values);
  if (vector === undefined) {
    vector = new Vector([gatherColumn(values.values, values.ranges)]);
    gathered.set(values, vector);
  }
  return vector;
}
