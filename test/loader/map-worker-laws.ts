import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderSource } from '../../src/loader/source.js';
import type { LoaderState } from '../../src/loader/state.js';
import { type TransformModule, transformModule } from '../../src/loader/transform-module.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { builtTransforms } from './built-transforms.js';
import { type Told, tell, tellTwoThirds } from './transforms/samples.js';

export type Options = DataLoaderOptions<Told>;

export const module = (file: string, name: string, setup?: string): TransformModule =>
  transformModule(
    file.includes('.') ? new URL(`./transforms/${file}`, import.meta.url) : builtTransforms(file),
    name,
    setup === undefined ? {} : { setup },
  );

/** Milliseconds after which a transform hangs: time enough for a worker to start on a busy machine. */
const hangMs = 4000;

export const shuffled: Options = {
  batchSize: 25,
  shuffleBufferSize: 120,
  interleaveShards: 2,
  shuffleChunkRows: 40,
  seed: 9,
};
const arbOptions: fc.Arbitrary<Options> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 300 })),
  interleaveShards: fc.integer({ min: 1, max: 3 }),
  batchSize: fc.integer({ min: 10, max: 90 }),
  dropLast: fc.boolean(),
});

export async function take(loader: SpiralDataLoader<Told>, most: number = Number.POSITIVE_INFINITY): Promise<Told[]> {
  const got: Told[] = [];
  if (most === 0) return got;
  for await (const told of loader) if (got.push(told) === most) break;
  return got;
}

/** What the same transform gives as a function on this thread. */
export async function inline(
  source: LoaderSource,
  options: Options,
  transformFn: NonNullable<Options['transformFn']> = tell,
): Promise<Told[]> {
  await using loader = new SpiralDataLoader<Told>(source, { ...options, transformFn, feeder: false });
  return await take(loader);
}

/** The batches before the error, the error, and the state that it leaves. */
export interface Outcome {
  readonly got: Told[];
  readonly error: Error & { details: Record<string, unknown> };
  readonly state: LoaderState;
}

export async function untilError(source: LoaderSource, options: Options): Promise<Outcome> {
  await using loader = new SpiralDataLoader<Told>(source, options);
  const got: Told[] = [];
  const error = await (async () => {
    for await (const told of loader) got.push(told);
    throw new Error('Expected an error, got none.');
  })().catch((thrown) => thrown as Error & { details: Record<string, unknown> });
  return { got, error, state: loader.stateDict() };
}

/** A transform of `faults.ts`, the batch that it fails at, the number of workers, and what its error is. */
type Failure = readonly [name: string, step: number, mapWorkers: number, expected: object];

async function failsAtItsBatch(open: () => LoaderSource, [name, step, mapWorkers, expected]: Failure): Promise<void> {
  const whole = await inline(open(), shuffled);
  const { got, error, state } = await untilError(open(), {
    ...shuffled,
    mapWorkers,
    transformTimeoutMs: hangMs,
    transformFn: module('faults', name),
  });
  expect(got).toStrictEqual(whole.slice(0, step));
  expect(error).toMatchObject(expected);
  const ids = (error.details['rows'] as number[]).length;
  expect([error.details['step'], ids]).toEqual([step, whole[step]!.ids.length]);
  expect(error.details['shards']).toEqual([...new Set(whole[step]!.ids.map((id) => Number(id.split(':')[0])))]);
  expect(error.details['transform']).toContain(`${name} of file:`);
  await using resumed = SpiralDataLoader.fromStateDict<Told>(open(), state, {
    transformFn: module('samples', 'tell'),
  });
  expect(await take(resumed)).toStrictEqual(whole.slice(step));
}

/** The epoch's batches as a loader that had an epoch before tells them: its steps go on. */
const laterBy =
  (loader: SpiralDataLoader<Told>) =>
  (told: Told[]): Told[] => {
    const before = loader.step - told.length;
    return told.map((one) => ({ ...one, step: one.step + before, large: one.large.map((item) => item + before) }));
  };

/** Gives each test of this suite a folder of its own for the marks that its transforms leave; returns where it is. */
export function useMarks(): () => string {
  let marks: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    marks = await temporaryFolder();
    process.env['SPIRAL_TEST_MARKS'] = marks.path;
  });
  afterEach(() => marks[Symbol.asyncDispose]());
  return () => marks.path;
}

/**
 * The laws of map workers on one road: workers that belong to this process, or to the feeder's thread, which can run a
 * transform with none as well.
 */
export function mapWorkerLaws(road: string, open: () => LoaderSource, workersMin: 0 | 1): void {
  describe(`map workers ${road}`, () => {
    const marks = useMarks();

    test('give what an inline transform gives, in its order, however many and late they are', async () => {
      await fc.assert(
        fc.asyncProperty(arbOptions, fc.constantFrom(0, 1, 2, 4), async (options, mapWorkers) => {
          await using loader = new SpiralDataLoader<Told>(open(), {
            ...options,
            mapWorkers,
            transformFn: module('samples', 'tellLate'),
          });
          expect(await take(loader)).toStrictEqual(await inline(open(), options));
          expect(await take(loader)).toStrictEqual(
            await inline(open(), { ...options, epoch: 1 }).then(laterBy(loader)),
          );
        }),
        { numRuns: lawRuns(4, 60) },
      );
    });

    test('go on from any batch, with any other number of workers', async () => {
      await fc.assert(
        fc.asyncProperty(arbOptions, fc.nat(), fc.constantFrom(0, 1, 3), async (options, pick, mapWorkers) => {
          const whole = await inline(open(), options);
          const cut = pick % (whole.length + 1);
          const transformFn = module('samples', 'tell');
          const first = new SpiralDataLoader<Told>(open(), { ...options, transformFn, mapWorkers: 2, infinite: true });
          expect(await take(first, cut)).toStrictEqual(whole.slice(0, cut));
          const state = JSON.parse(JSON.stringify(first.stateDict()));
          await first.close();
          const resumed = SpiralDataLoader.fromStateDict<Told>(open(), state, {
            transformFn,
            mapWorkers,
            infinite: false,
          });
          expect(await take(resumed)).toStrictEqual(whole.slice(cut));
          await resumed.close();
        }),
        { numRuns: lawRuns(3, 60) },
      );
    });

    test('drop a batch for null, which counts all the same', async () => {
      await using loader = new SpiralDataLoader<Told>(open(), {
        ...shuffled,
        mapWorkers: 2,
        transformFn: module('samples', 'tellTwoThirds'),
      });
      const whole = await inline(open(), shuffled, tellTwoThirds);
      expect(await take(loader, 3)).toStrictEqual(whole.slice(0, 3));
      expect(loader.stateDict()).toMatchObject({ step: 4, samplesYielded: 100 });
      expect(await take(loader)).toStrictEqual(whole);
    });

    test.each([1, 2, 4])(
      'that die are replaced, and no batch is lost, twice or out of turn (%i workers)',
      async (mapWorkers) => {
        await using loader = new SpiralDataLoader<Told>(open(), {
          ...shuffled,
          mapWorkers,
          transformFn: module('faults', 'dieOnce'),
        });
        expect(await take(loader)).toStrictEqual(await inline(open(), shuffled));
      },
    );

    // The memory source has 500 rows, the table 600: enough batches that workers are sent several in a message.
    const short: Options = { ...shuffled, batchSize: 4 };

    test('are sent short batches together', async () => {
      const transformFn = transformModule(builtTransforms('samples'), 'tellOffset');
      await using loader = new SpiralDataLoader<number>(open(), { ...short, mapWorkers: 2, transformFn });
      const offsets = new Set<number>();
      for await (const offset of loader) offsets.add(offset);
      expect(offsets.size).toBeGreaterThan(1);
    });

    test.each([1, 2])('that die of one of several short batches lose none (%i workers)', async (mapWorkers) => {
      const transformFn = module('faults', 'dieSeldom');
      await using loader = new SpiralDataLoader<Told>(open(), { ...short, mapWorkers, transformFn });
      const whole = await inline(open(), short);
      expect(await take(loader)).toStrictEqual(whole);
      expect(await take(loader)).toStrictEqual(await inline(open(), { ...short, epoch: 1 }).then(laterBy(loader)));
    });

    test('give those before one of several short batches that fails, and go on from there', async () => {
      const whole = await inline(open(), short);
      const transformFn = module('faults', 'throwAtSixty');
      const { got, error, state } = await untilError(open(), { ...short, mapWorkers: 2, transformFn });
      expect(got).toStrictEqual(whole.slice(0, 60));
      expect(error).toMatchObject({ code: 'transform_failed', details: { step: 60 } });
      expect(error.details['rows']).toEqual(whole[60]!.ids.map((id) => Number(id.split(':')[1])));
      await using resumed = SpiralDataLoader.fromStateDict<Told>(open(), state, {
        mapWorkers: 2,
        transformFn: module('samples', 'tell'),
      });
      expect(await take(resumed)).toStrictEqual(whole.slice(60));
    });

    test('that hang are replaced', async () => {
      await using loader = new SpiralDataLoader<Told>(open(), {
        ...shuffled,
        mapWorkers: 2,
        transformTimeoutMs: hangMs,
        transformFn: module('faults', 'hangOnce'),
      });
      expect(await take(loader)).toStrictEqual(await inline(open(), shuffled));
    });

    test.each([0, 1, 2])('give what is ready though the next batch never is (%i workers)', async (mapWorkers) => {
      const transformFn = module('faults', 'hangAtThree');
      const loader = new SpiralDataLoader<Told>(open(), { ...shuffled, transformFn, mapWorkers });
      const iterator = loader[Symbol.asyncIterator]();
      const got = [(await iterator.next()).value];
      // Meanwhile what is ahead of the batch that hangs is made: more than main is owed at once.
      await sleep(300);
      while (got.length < 3) got.push((await iterator.next()).value);
      expect(got.map((told) => (told as Told).step)).toEqual([0, 1, 2]);
      await loader.close();
    });

    test('are set up once each before their first batch, and stay for the next epoch', async () => {
      const transformFn = module('faults', 'tellPrepared', 'prepare');
      await using loader = new SpiralDataLoader<Told>(open(), { ...shuffled, mapWorkers: 2, transformFn });
      expect(await take(loader)).toStrictEqual(await inline(open(), shuffled));
      await take(loader);
      const threads = (await readFile(join(marks(), 'setups'), 'utf8')).trim().split('\n');
      expect(threads.length).toBe(2);
      expect(new Set(threads).size).toBe(2);
    });

    test('that hold too much are replaced between batches', async () => {
      const transformFn = module('faults', 'tellPrepared', 'prepare');
      const options = { ...shuffled, batchSize: 90 };
      await using loader = new SpiralDataLoader<Told>(open(), {
        ...options,
        mapWorkers: 1,
        workerMemoryBytesMax: 1,
        transformFn,
      });
      const got = await take(loader);
      expect(got).toStrictEqual(await inline(open(), options));
      expect((await readFile(join(marks(), 'setups'), 'utf8')).trim().split('\n').length).toBe(got.length);
    });

    const failures: readonly Failure[] = [
      ['dieAtFive', 5, 2, { code: 'worker_died', cause: { message: 'Its thread ended with exit code 7.' } }],
      ['throwAtFour', 4, 3, { code: 'transform_failed', cause: { name: 'RangeError', message: 'four is too many' } }],
      ['throwAtFour', 4, 0, { code: 'transform_failed', cause: { cause: { message: 'the cause beneath' } } }],
      ['nothingAtTwo', 2, 2, { code: 'invalid_transform' }],
      ['functionAtOne', 1, 1, { code: 'invalid_transform', message: expect.stringContaining('["deep"][1]["call"]') }],
    ];
    test.each(failures)('fail at the batch that failed: %s at %i with %i workers', (...failure) =>
      failsAtItsBatch(open, failure),
    );
    test.each([
      ['missing.ts', 'tell', undefined, 'invalid_transform', 'missing.ts'],
      ['samples', 'tel', undefined, 'invalid_transform', "Did you mean 'tell'"],
      ['samples', 'notAFunction', undefined, 'invalid_transform', 'to be a function, got 5'],
      ['faults.ts', 'tellPrepared', 'prepar', 'invalid_transform', "'prepare'"],
      ['faults', 'tellPrepared', 'failToPrepare', 'transform_failed', 'no vocabulary'],
      ['trains-itself.mjs', 'tell', undefined, 'invalid_transform', 'file of its own'],
    ])('say what is wrong before the first batch: %s %s %s', async (file, name, setup, code, text) => {
      for (const mapWorkers of workersMin === 1 ? [1] : [0, 1]) {
        const { got, error } = await untilError(open(), { mapWorkers, transformFn: module(file, name, setup) });
        expect([got, error]).toEqual([[], expect.objectContaining({ code, message: expect.stringContaining(text) })]);
        expect(error.message).toContain(file);
      }
    });

    test('end at once with the signal, or the loader, that ends while they compute', async () => {
      const abort = new AbortController();
      const options = { ...shuffled, mapWorkers: 1, transformFn: module('faults', 'hangAtThree') };
      const aborted = untilError(open(), { ...options, signal: abort.signal });
      const closing = new SpiralDataLoader<Told>(open(), options);
      const closed = take(closing).catch((error) => error);
      setTimeout(() => abort.abort(), 300);
      setTimeout(() => void closing.close(), 300);
      expect((await aborted).error).toMatchObject({ code: 'cancelled' });
      expect(await closed).toMatchObject({ code: 'closed' });
    });
  });

  // Side by side, as they wait most of the time.
  describe.concurrent(`map workers ${road}`, () => {
    test.each<Failure>([
      ['hangAtThree', 3, 2, { code: 'transform_timeout' }],
      ['hangAtThree', 3, 0, { code: 'transform_timeout' }],
    ])('fail at the batch that failed: %s at %i with %i workers', (...failure) => failsAtItsBatch(open, failure));
  });
}
