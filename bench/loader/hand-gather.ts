import type { RecordBatch } from 'apache-arrow';
import { type RowIds, type Scan, SpiralDataLoader, type TransformContext } from 'spiral-loader';
import type { OpenSide, Pass } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';

/** The columns of one decoded block as typed arrays. */
interface Columns {
  readonly rows: number;
  readonly id: BigInt64Array;
  readonly vec: Float32Array;
  readonly offsets: Int32Array;
  readonly text: Uint8Array;
  readonly label: Int32Array;
}

/** The blocks of a table in order, and the number of each shard's first one. */
interface Blocks {
  readonly columns: readonly Columns[];
  readonly firstOf: readonly number[];
}

/** The rows of an epoch: row `row[i]` of block `block[i]`. */
interface DrawnOrder {
  readonly block: Int32Array;
  readonly row: Int32Array;
}

/**
 * What somebody would write who knows the schema and has all blocks decoded in memory: one loop a batch over the rows in
 * the loader's own order, each column into a fresh typed array, text copied whole. It reads and permutes nothing.
 */
export async function handGather(options: { shuffleBufferSize: number; batchSize: number }): Promise<OpenSide> {
  await using spiral = warehouse('wide');
  const scan = await scanOf(spiral, 'wide');
  const blocks = await decoded(scan);
  const order = await drawnOrder(scan, blocks, options);
  return { pass: async () => gatherEpoch(blocks.columns, order, options.batchSize) };
}

async function decoded(scan: Scan): Promise<Blocks> {
  const columns: Columns[] = [];
  const firstOf: number[] = [];
  for (const shard of await scan.shards()) {
    firstOf.push(columns.length);
    for await (const batch of scan.toRecordBatches({ shards: [shard] })) columns.push(columnsOf(batch));
  }
  return { columns, firstOf };
}

function columnsOf(batch: RecordBatch): Columns {
  const [id, vec, text, label] = batch.data.children;
  return {
    rows: batch.numRows,
    id: id!.values as BigInt64Array,
    vec: vec!.children[0]!.values as Float32Array,
    offsets: text!.valueOffsets as Int32Array,
    text: text!.values as Uint8Array,
    label: label!.values as Int32Array,
  };
}

/** The order in which the loader gives the rows of epoch 0. */
async function drawnOrder(scan: Scan, blocks: Blocks, options: object): Promise<DrawnOrder> {
  const blockRows = blocks.columns[0]!.rows;
  const total = blocks.columns.reduce((sum, { rows }) => sum + rows, 0);
  const [block, row] = [new Int32Array(total), new Int32Array(total)];
  let at = 0;
  const transformFn = (_: RecordBatch, { rowIds }: TransformContext): RowIds => rowIds;
  for await (const ids of new SpiralDataLoader<RowIds>(scan, { ...options, feeder: false, transformFn })) {
    for (let index = 0; index < ids.length; index++) {
      block[at] = blocks.firstOf[ids.shards[index]!]! + Math.floor(ids.rows[index]! / blockRows);
      row[at++] = ids.rows[index]! % blockRows;
    }
  }
  return { block, row };
}

function gatherEpoch(blocks: readonly Columns[], { block, row }: DrawnOrder, batchSize: number): Pass {
  let bytes = 0;
  const nextMs = new Float64Array(Math.ceil(row.length / batchSize));
  for (let from = 0, step = 0; from < row.length; from += batchSize, step++) {
    const start = performance.now();
    const to = Math.min(row.length, from + batchSize);
    bytes += gatherRows(blocks, block.subarray(from, to), row.subarray(from, to));
    nextMs[step] = performance.now() - start;
  }
  return { rows: row.length, bytes, nextMs };
}

const width = 16;

/** One batch: offsets first, for the length of the text is not known before; returns its bytes. */
function gatherRows(blocks: readonly Columns[], block: Int32Array, row: Int32Array): number {
  const count = row.length;
  const ids = new BigInt64Array(count);
  const vecs = new Float32Array(count * width);
  const labels = new Int32Array(count);
  const ends = new Int32Array(count + 1);
  for (let at = 0; at < count; at++) {
    const { offsets } = blocks[block[at]!]!;
    ends[at + 1] = ends[at]! + offsets[row[at]! + 1]! - offsets[row[at]!]!;
  }
  const texts = new Uint8Array(ends[count]!);
  for (let at = 0; at < count; at++) {
    const from = blocks[block[at]!]!;
    const own = row[at]!;
    ids[at] = from.id[own]!;
    labels[at] = from.label[own]!;
    for (let put = at * width, take = own * width, end = put + width; put < end; ) vecs[put++] = from.vec[take++]!;
    texts.set(from.text.subarray(from.offsets[own]!, from.offsets[own + 1]!), ends[at]!);
  }
  return ids.byteLength + vecs.byteLength + labels.byteLength + ends.byteLength + texts.byteLength;
}
