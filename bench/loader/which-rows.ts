import { Field, Int32, Schema } from 'apache-arrow';
import {
  type DataLoaderOptions,
  type LoaderSource,
  Shard,
  SpiralDataLoader,
  skipSteps,
  whichRows,
} from 'spiral-loader';
import type { Benchmark, OpenSide, Side } from '../benchmark.js';

const shardCount = 1000;
const shardRows = 1_000_000;
const batchSize = 256;
const shares = [0, 0.01, 0.5, 0.9, 0.99];
const slowest = 'slowest answer ms';

/** Which rows a batch far into an epoch is made of, as arithmetic alone. */
export const rowsOfStep: Benchmark = {
  name: 'loader/resume/index-only',
  work: '1 G rows in 1,000 shards, none of which can be read: which rows the first batch behind 0, 1, 50, 90, 99 % has.',
  data: [],
  sides: [
    side('whole shards', {}),
    side('chunks of 1,024 rows in 8 lanes', { shuffleChunkRows: 1024, interleaveShards: 8 }),
  ],
  figures: ['whole shards', 'chunks of 1,024 rows in 8 lanes'].map((of) => ({
    kind: 'value',
    of,
    value: slowest,
    atMost: 100,
  })),
};

function side(name: string, order: DataLoaderOptions): Side {
  return {
    name,
    open: async (): Promise<OpenSide> => {
      const source = unreadable();
      await using loader = new SpiralDataLoader(source, { batchSize, shuffleBufferSize: 10_000, ...order });
      const begin = loader.stateDict();
      return {
        pass: async () => {
          const nextMs = new Float64Array(shares.length);
          let rows = 0;
          for (const [at, share] of shares.entries()) {
            const steps = Math.floor((shardCount * shardRows * share) / batchSize);
            const start = performance.now();
            const state = skipSteps(begin, steps);
            rows += (await whichRows(source, state, state.step)).length;
            nextMs[at] = performance.now() - start;
          }
          return { rows, bytes: 0, nextMs, values: { [slowest]: Math.max(...nextMs) } };
        },
      };
    },
  };
}

/** A source that knows its shards and fails where a row is read. */
function unreadable(): LoaderSource {
  const shards = Array.from(
    { length: shardCount },
    (_, part) => new Shard({ begin: null, end: null }, shardRows, [{ part, from: 0, to: shardRows }]),
  );
  return {
    identity: { kind: 'unreadable' },
    openSource: async () => ({
      schema: new Schema([new Field('value', new Int32(), false)]),
      shards,
      filtered: false,
      checkShards: () => {},
      blockEnd: (shard, row) => Math.min(shard.physicalRows, row + 8192),
      readBlock: async () => {
        throw new Error('Expected no row to be read.');
      },
    }),
  };
}
