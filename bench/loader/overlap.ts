import type { RecordBatch } from 'apache-arrow';
import type { DataLoaderOptions } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { wideRows } from '../data/wide-rows.js';
import { blockingPass } from './blocking-consumer.js';
import { takeWide } from './take-wide.js';

const options = { batchSize: 256, shuffleBufferSize: 10_000, infinite: true } satisfies DataLoaderOptions;
/** Batches in memory, given over and over. */
const memoryBatches = 64;
/** Some thousands of steps: V8 compiles meanwhile what each runs, on cores that the consumer and the feeder want. */
const warmUpMs = 20_000;

/** Whether batches are ready when a step that blocked the event loop for `stepMs` ends. */
export function overlap(stepMs: number): Benchmark {
  return {
    name: `loader/overlap/${stepMs}ms`,
    work: `A consumer that blocks the event loop ${stepMs} ms a step; 283-byte rows, batches of 256, windows of 10,000.`,
    data: [wideRows],
    warmUpMs,
    sides: [
      { name: 'spiral', open: (scale) => loaderSide(scale, stepMs) },
      { name: 'batches in memory', open: (scale) => memorySide(scale, stepMs) },
    ],
    figures: [
      { kind: 'value', of: 'spiral', value: 'median wait %', atMost: 2 },
      { kind: 'value', of: 'spiral', value: 'p99 wait %', atMost: 10 },
      { kind: 'ratio', of: 'spiral', against: 'batches in memory', atLeast: 0.98 },
    ],
  };
}

/** Enough steps that the 99th percentile is not the worst one. */
function stepsOf(scale: Scale): number {
  return scale.quick ? 100 : 200;
}

async function loaderSide(scale: Scale, stepMs: number): Promise<OpenSide> {
  const spiral = warehouse('wide');
  const loader = (await scanOf(spiral, 'wide')).toDataLoader(options);
  const batches = loader[Symbol.asyncIterator]();
  return {
    pass: () => blockingPass(batches, takeWide, { stepMs, steps: stepsOf(scale) }),
    close: async () => {
      await loader.close();
      await spiral.close();
    },
  };
}

async function memorySide(scale: Scale, stepMs: number): Promise<OpenSide> {
  await using spiral = warehouse('wide');
  const scan = await scanOf(spiral, 'wide');
  await using loader = scan.toDataLoader({ ...options, feeder: false, maxSteps: memoryBatches });
  const held: RecordBatch[] = [];
  for await (const batch of loader) held.push(batch);
  const batches = (async function* (): AsyncGenerator<RecordBatch> {
    for (;;) yield* held;
  })();
  return { pass: () => blockingPass(batches, takeWide, { stepMs, steps: stepsOf(scale) }) };
}
