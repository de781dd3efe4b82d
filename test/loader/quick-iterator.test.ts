import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { lawRuns } from '../laws.js';
import { MemorySource, samplesOf } from './memory-source.js';

const source = (): MemorySource => new MemorySource({ shards: [300, 500, 200], batchRows: 64 });

type Step = { readonly samples: string[] | undefined; readonly state: LoaderState; readonly rows: number[] };

/** What `steps` calls of `next()` give, and how the loader stands behind each. */
async function steps(loader: SpiralDataLoader, count: number): Promise<Step[]> {
  const found: Step[] = [];
  const batches = loader[Symbol.asyncIterator]();
  while (found.length < count) {
    const { value } = await batches.next();
    const rows = Array.from(loader.rowIds?.rows ?? []);
    found.push({ samples: value === undefined ? undefined : samplesOf(value), state: loader.stateDict(), rows });
  }
  await batches.return();
  return found;
}

const options = fc.record<DataLoaderOptions>({
  batchSize: fc.integer({ min: 1, max: 120 }),
  shuffleBufferSize: fc.constantFrom(0, 90),
  dropLast: fc.boolean(),
  infinite: fc.boolean(),
  maxSteps: fc.integer({ min: 1, max: 60 }),
});

test('batches that are ready, and those that a transform has waited for, are the same, as are the states behind them', async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.integer({ min: 1, max: 80 }), async (settings, count) => {
      await using ready = new SpiralDataLoader(source(), { ...settings, feeder: false });
      const transformFn = async (batch: RecordBatch): Promise<RecordBatch> => batch;
      await using awaited = new SpiralDataLoader(source(), { ...settings, feeder: false, transformFn });
      expect(await steps(ready, count)).toEqual(await steps(awaited, count));
      expect(ready.stats()).toMatchObject({ batches: awaited.stats().batches, rows: awaited.stats().rows });
    }),
    { numRuns: lawRuns(30, 500) },
  );
});

test('batches that are asked for all at once come in order, and nothing behind the last', async () => {
  const wanted = await steps(new SpiralDataLoader(source(), { batchSize: 16, feeder: false }), 70);
  await using loader = new SpiralDataLoader(source(), { batchSize: 16, feeder: false });
  const batches = loader[Symbol.asyncIterator]();
  const found = await Promise.all(Array.from({ length: 70 }, () => batches.next()));
  const samples = found.map(({ value }) => (value === undefined ? undefined : samplesOf(value)));
  expect(samples).toEqual(wanted.map((step) => step.samples));
  expect(found.map(({ done }) => done)).toEqual(samples.map((batch) => batch === undefined));
});

test('an iteration that was left, or that failed, gives nothing more, though batches are ready', async () => {
  for (const leave of ['return', 'throw', 'close', 'dispose'] as const) {
    await using loader = new SpiralDataLoader(source(), { batchSize: 8, feeder: false });
    const batches = loader[Symbol.asyncIterator]();
    for (let taken = 0; taken < 5; taken++) expect((await batches.next()).done).toBe(false);
    if (leave === 'return') await batches.return();
    else if (leave === 'throw') await expect(batches.throw(new Error('own'))).rejects.toThrow('own');
    else if (leave === 'dispose') await batches[Symbol.asyncDispose]();
    else {
      await loader.close();
      await expect(batches.next()).rejects.toMatchObject({ code: 'closed' });
    }
    expect(await batches.next()).toEqual({ value: undefined, done: true });
    expect(loader.step).toBe(5);
  }
});

test('an iteration that was refused takes no batch of the one under way', async () => {
  await using loader = new SpiralDataLoader(source(), { batchSize: 8, feeder: false });
  const first = loader[Symbol.asyncIterator]();
  await first.next();
  await first.next();
  const second = loader[Symbol.asyncIterator]();
  await expect(second.next()).rejects.toMatchObject({ code: 'already_iterating' });
  expect(await second.next()).toEqual({ value: undefined, done: true });
  expect(loader.step).toBe(2);
  expect((await first.next()).done).toBe(false);
  await first.return();
});

test('a signal that aborts between two batches ends an iteration though batches are ready', async () => {
  const abort = new AbortController();
  await using loader = new SpiralDataLoader(source(), { batchSize: 8, feeder: false, signal: abort.signal });
  const batches = loader[Symbol.asyncIterator]();
  await batches.next();
  await batches.next();
  abort.abort();
  await expect(batches.next()).rejects.toMatchObject({ code: 'cancelled' });
});
