import { setImmediate } from 'node:timers/promises';
import type { RecordBatch, Schema } from 'apache-arrow';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import { SpiralError } from '../../src/core/errors.js';
import type { Block, LoaderSource, OpenSource } from '../../src/loader/source.js';
import { Shard } from '../../src/sharding/shard.js';

/** What a test source holds and how it behaves. */
export interface MemorySourceSettings {
  /** Rows of each shard. */
  readonly shards: readonly number[];
  /** Rows that are stored together. */
  readonly batchRows: number;
  /** Which rows survive; undefined: all, and the source is not filtered. */
  readonly keep?: ((shard: number, row: number) => boolean) | undefined;
  /** Turns of the event loop that reading a block takes, by the number of the read. */
  readonly delay?: ((read: number) => number) | undefined;
  /** Stored batches that are damaged: every read of any of their rows fails. */
  readonly damaged?: ((shard: number, batch: number) => boolean) | undefined;
  /** Reads that fail. */
  readonly fail?: ((shard: number, from: number) => Error | undefined) | undefined;
}

export const memorySchema: Schema = toSchema({ shard: 'int32', row: 'int32', text: 'utf8' }, 'the test source');

/** A source of rows that name themselves: `{ shard, row, text }`; counts what is read of it. */
export class MemorySource implements LoaderSource {
  readonly identity: Record<string, string | number | null>;
  readonly reads: { shard: number; from: number; to: number }[] = [];
  readonly #settings: MemorySourceSettings;

  constructor(settings: MemorySourceSettings, identity: Record<string, string | number | null> = { table: 'memory' }) {
    this.#settings = settings;
    this.identity = identity;
  }

  get rowsRead(): number {
    return this.reads.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  async openSource(): Promise<OpenSource> {
    const { shards, batchRows, keep } = this.#settings;
    return {
      schema: memorySchema,
      shards: shards.map(
        (rows, part) =>
          new Shard({ begin: null, end: null }, keep === undefined ? rows : null, [{ part, from: 0, to: rows }]),
      ),
      filtered: keep !== undefined,
      checkShards: () => {},
      blockEnd: (shard, row) => Math.min(shard.physicalRows, (Math.floor(row / batchRows) + 1) * batchRows),
      readBlock: (shard, from, to) => this.#read(shard.segments[0]!.part, from, to),
      cutsWithin: async (_, from, to) => {
        const first = Math.floor(from / batchRows) + 1;
        const cuts = Array.from({ length: Math.ceil(to / batchRows) - first }, (_, at) => (first + at) * batchRows);
        return cuts.filter((cut) => cut < to);
      },
    };
  }

  async #read(shard: number, from: number, to: number): Promise<Block> {
    const { keep, delay, fail, damaged, batchRows } = this.#settings;
    this.reads.push({ shard, from, to });
    for (let turn = delay?.(this.reads.length) ?? 0; turn > 0; turn--) await setImmediate();
    const failure = fail?.(shard, from);
    if (failure !== undefined) throw failure;
    for (let row = from; row < to; row++) {
      const batch = Math.floor(row / batchRows);
      if (!damaged?.(shard, batch)) continue;
      throw new SpiralError('corrupt_file', `Stored batch ${batch} of shard ${shard} is damaged.`);
    }
    const rows = Array.from({ length: to - from }, (_, at) => from + at);
    const kept = keep === undefined ? rows : rows.filter((row) => keep(shard, row));
    const batch = columnsToBatch(
      {
        shard: kept.map(() => shard),
        row: kept,
        text: kept.map((row) => (row % 7 === 0 ? null : `${'x'.repeat(row % 5)}${shard}/${row}`)),
      },
      memorySchema,
    );
    return { batch, rows: keep === undefined ? undefined : Int32Array.from(kept, (row) => row - from) };
  }
}

/** The samples of a batch as `shard:row`; fails where the text does not belong to the row. */
export function samplesOf(batch: RecordBatch): string[] {
  const [shard, row, text] = ['shard', 'row', 'text'].map((name) => batch.getChild(name)!);
  return Array.from({ length: batch.numRows }, (_, at) => {
    const sample = `${shard!.get(at)}:${row!.get(at)}`;
    const number = row!.get(at) as number;
    const wanted = number % 7 === 0 ? null : `${'x'.repeat(number % 5)}${shard!.get(at)}/${number}`;
    if (text!.get(at) !== wanted) throw new Error(`Row ${sample} came with the text of another: ${text!.get(at)}`);
    return sample;
  });
}

/** The batches of an iteration, each as its samples, at most `most` of them. */
export async function take(
  loader: AsyncIterable<RecordBatch>,
  most: number = Number.POSITIVE_INFINITY,
): Promise<string[][]> {
  const batches: string[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader) {
    batches.push(samplesOf(batch));
    if (batches.length === most) break;
  }
  return batches;
}
