import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { transformModule } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass, Scale } from '../benchmark.js';
import { type DataSet, scanOf, warehouse } from '../data/data-set.js';
import { integerRowCount, integers } from '../data/integers.js';
import { paragraphs } from '../data/paragraphs.js';
import { typescriptHooks } from '../typescript.js';
import { batchesInMemory } from './batches-in-memory.js';
import { drained } from './drained.js';
import type { MapThreadData } from './map-thread.js';
import type { Mapped, MapWork } from './map-work.js';

interface MapSetting {
  readonly data: DataSet;
  readonly work: MapWork;
  readonly batchSize: (scale: Scale) => number;
}

/** A worker of Node 20 loads no TypeScript before it has registered what does. */
const threadEntry: string = `
  import(${JSON.stringify(typescriptHooks)}).then(() => import(${JSON.stringify(new URL('./map-thread.ts', import.meta.url).href)}))`;
const threads = 2;
/** Some thousands of batches. While V8 compiles what each runs, its threads and four of ours share two cores. */
const warmUpMs = 20_000;
const paragraphsOfBatch = 32;

/** Tokenising the paragraphs of a book. */
export const mapTokens: Benchmark = map(
  'tokens',
  `Moby-Dick ten times over, by paragraphs, batches of ${paragraphsOfBatch}, made tokens by gpt-tokenizer (r50k).`,
  { data: paragraphs, work: 'tokenize', batchSize: () => paragraphsOfBatch },
);

/** A transform that computes for `ms` milliseconds a batch. */
export function mapWork(ms: 1 | 5 | 20): Benchmark {
  const batches = Math.max(60, 600 / ms);
  const setting: MapSetting = {
    data: integers,
    work: `work${ms}`,
    batchSize: (scale) => Math.ceil(scale.rows(integerRowCount) / batches),
  };
  return map(`${ms}ms`, `${batches} batches of integers, each computed on for some ${ms} ms.`, setting);
}

function map(name: string, what: string, setting: MapSetting): Benchmark {
  return {
    name: `loader/map/${name}`,
    work: `${what} Spiral's come in order, the bare threads' as they are done.`,
    data: [setting.data],
    warmUpMs,
    sides: [
      { name: 'spiral, 2 map workers', open: (scale) => loaderSide(setting, scale, 2) },
      { name: 'spiral, 1 map worker', open: (scale) => loaderSide(setting, scale, 1) },
      { name: 'spiral, in the feeder', open: (scale) => loaderSide(setting, scale, 0) },
      { name: 'two bare threads', open: (scale) => bareThreads(setting, scale) },
      { name: 'inline', open: (scale) => inline(setting, scale) },
    ],
    figures: [
      { kind: 'ratio', of: 'spiral, 2 map workers', against: 'two bare threads', atLeast: 0.85 },
      { kind: 'ratio', of: 'spiral, 2 map workers', against: 'inline', atLeast: 1.4 },
    ],
  };
}

async function loaderSide({ data, work, batchSize }: MapSetting, scale: Scale, mapWorkers: number): Promise<OpenSide> {
  const spiral = warehouse(data.name);
  const loader = (await scanOf(spiral, data.name)).toDataLoader<Mapped>({
    batchSize: batchSize(scale),
    shuffleShards: false,
    mapWorkers,
    transformFn: transformModule(new URL('./map-work.ts', import.meta.url), work),
  });
  return {
    pass: () => {
      let row = 0;
      return drained(loader[Symbol.asyncIterator](), ({ first, rows, values }) => {
        if (first !== row) throw new Error(`Expected the batch from row ${row} on, got that from ${first} on.`);
        row += rows;
        return { rows, bytes: values.byteLength };
      });
    },
    close: async () => {
      await loader.close();
      await spiral.close();
    },
  };
}

/** The same function in worker threads that have their batches in memory, and hand over each result. */
async function bareThreads({ data, work, batchSize }: MapSetting, scale: Scale): Promise<OpenSide> {
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData: MapThreadData = { data: data.name, batchSize: batchSize(scale), work, thread, threads };
    return new Worker(threadEntry, { eval: true, workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  return {
    pass: async () => {
      const passes = await Promise.all(workers.map(threadPass));
      return passes.reduce((sum, { rows, bytes }) => ({ rows: sum.rows + rows, bytes: sum.bytes + bytes }));
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function threadPass(worker: Worker): Promise<Pass> {
  let [rows, bytes] = [0, 0];
  return await new Promise((resolve) => {
    const take = (message: Mapped | 'done'): void => {
      if (message === 'done') {
        worker.off('message', take);
        resolve({ rows, bytes });
        return;
      }
      rows += message.rows;
      bytes += message.values.byteLength;
    };
    worker.on('message', take);
    worker.postMessage('go');
  });
}

/** The same function on this thread, over batches in memory. */
async function inline({ data, work, batchSize }: MapSetting, scale: Scale): Promise<OpenSide> {
  const { [work]: apply } = await import('./map-work.js');
  const batches = await batchesInMemory(data.name, batchSize(scale));
  return {
    pass: async () => {
      let [rows, bytes] = [0, 0];
      for (const batch of batches) {
        const mapped = apply(batch);
        rows += mapped.rows;
        bytes += mapped.values.byteLength;
      }
      return { rows, bytes };
    },
  };
}
