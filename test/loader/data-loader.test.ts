import type { RecordBatch } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { World } from '../../src/sharding/world.js';
import { MemorySource, samplesOf, take } from './memory-source.js';

const settings = { shards: [30, 50, 20], batchRows: 8 };
const source = (): MemorySource => new MemorySource(settings);
const shuffled: DataLoaderOptions = { batchSize: 10, shuffleBufferSize: 25, interleaveShards: 2, shuffleChunkRows: 8 };

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? String(error),
  );
}

describe('an iteration', () => {
  test('left early starts its epoch anew, and the state meanwhile is where it was left', async () => {
    const loader = new SpiralDataLoader(source(), shuffled);
    const whole = await take(new SpiralDataLoader(source(), shuffled));
    expect(await take(loader, 3)).toEqual(whole.slice(0, 3));
    expect(loader.stateDict()).toMatchObject({ epoch: 0, step: 3, samplesYielded: 30 });
    expect(await take(loader)).toEqual(whole);
    expect(loader.stateDict()).toMatchObject({ epoch: 1, step: 10, epochStep: 10, samplesYielded: 0 });
  });

  test('is refused while another is under way, which goes on unharmed', async () => {
    const loader = new SpiralDataLoader(source(), shuffled);
    const first = loader[Symbol.asyncIterator]();
    const batches = [samplesOf((await first.next()).value as RecordBatch)];
    expect(await codeOf(take(loader))).toBe('already_iterating');
    expect(() => loader.setEpoch(3)).toThrowError(expect.objectContaining({ code: 'already_iterating' }));
    for (let next = await first.next(); !next.done; next = await first.next()) batches.push(samplesOf(next.value));
    expect(batches).toEqual(await take(new SpiralDataLoader(source(), shuffled)));
  });

  test('touches nothing before its first batch is asked for', async () => {
    const spied = source();
    const loader = new SpiralDataLoader(spied, shuffled);
    loader[Symbol.asyncIterator]();
    loader[Symbol.asyncIterator]();
    loader.stateDict();
    expect(spied.reads).toEqual([]);
    expect((await take(loader)).flat().length).toBe(100);
  });

  test('of a rank without shards ends at once', async () => {
    const world = new World({ rank: 4, worldSize: 5 });
    const loader = new SpiralDataLoader(source(), { world, shuffleShards: false });
    expect(await take(loader)).toEqual([]);
    expect(loader.epoch).toBe(1);
  });

  test('gives timers their turn though every batch is ready', async () => {
    const loader = new SpiralDataLoader(source(), { batchSize: 1, infinite: true });
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    // On a busy machine they are few.
    const stop = performance.now() + 10_000;
    for await (const _ of loader) if (fired > 3 || performance.now() > stop) break;
    clearInterval(timer);
    expect(fired).toBeGreaterThan(3);
  });

  test('that fails to read rejects with the error, and the loader can go on from its state', async () => {
    let failing = true;
    const flaky = new MemorySource({
      ...settings,
      fail: (_, from) => (failing && from >= 16 ? new Error('the disk is gone') : undefined),
    });
    const options = { batchSize: 10, shuffleShards: false };
    const loader = new SpiralDataLoader(flaky, options);
    const got: string[] = [];
    const run = (async () => {
      for await (const batch of loader) got.push(...samplesOf(batch));
    })();
    await expect(run).rejects.toThrow('the disk is gone');
    expect(loader.samplesYielded).toBe(got.length);
    failing = false;
    const resumed = SpiralDataLoader.fromStateDict(flaky, loader.stateDict());
    got.push(...(await take(resumed)).flat());
    expect(got).toEqual((await take(new SpiralDataLoader(source(), options))).flat());
  });

  test('ends with `cancelled` when its signal aborts, and with `closed` when the loader is closed', async () => {
    const abort = new AbortController();
    const cancelled = new SpiralDataLoader(source(), { ...shuffled, infinite: true, signal: abort.signal });
    const reading = take(cancelled);
    setTimeout(() => abort.abort(new Error('enough')), 20);
    expect(await codeOf(reading)).toBe('cancelled');
    expect(await codeOf(take(cancelled))).toBe('cancelled');

    const closed = new SpiralDataLoader(source(), { ...shuffled, infinite: true });
    const running = take(closed);
    setTimeout(() => void closed.close(), 20);
    expect(await codeOf(running)).toBe('closed');
    await closed.close();
    expect(await codeOf(take(closed))).toBe('closed');
  });
});

describe('a transform', () => {
  test('makes what is given, drops a batch with null, and knows its rows', async () => {
    const seen: string[] = [];
    const loader = new SpiralDataLoader<number>(source(), {
      ...shuffled,
      transformFn: (batch, { epoch, step, rank, rowIds }) => {
        const ids = Array.from({ length: rowIds.length }, (_, at) => `${rowIds.shards[at]}:${rowIds.rows[at]}`);
        expect(ids).toEqual(samplesOf(batch));
        expect({ epoch, rank }).toEqual({ epoch: 0, rank: 0 });
        seen.push(...ids);
        return step % 2 === 0 ? step : null;
      },
    });
    const steps: number[] = [];
    for await (const step of loader) steps.push(step);
    expect(steps).toEqual([0, 2, 4, 6, 8]);
    expect(new Set(seen).size).toBe(100);
    expect(loader.step).toBe(10);
  });

  test('draws the same randomness for a row on resume', async () => {
    const drawn = async (loader: SpiralDataLoader<string[]>, most: number): Promise<string[][]> => {
      const batches: string[][] = [];
      for await (const batch of loader) if (batches.push(batch) === most) break;
      return batches;
    };
    const options: DataLoaderOptions<string[]> = {
      ...shuffled,
      transformFn: (batch, context) => samplesOf(batch).map((id, at) => `${id} ${context.random(at).unit()}`),
    };
    const whole = await drawn(new SpiralDataLoader(source(), options), 10);
    const first = new SpiralDataLoader(source(), options);
    await drawn(first, 4);
    const resumed = SpiralDataLoader.fromStateDict(source(), first.stateDict(), {
      transformFn: options.transformFn!,
      batchSize: 3,
    });
    expect((await drawn(resumed, 100)).flat()).toEqual(whole.slice(4).flat());
    const epochs = new Set(whole.flat());
    const again = await drawn(new SpiralDataLoader(source(), { ...options, epoch: 1 }), 10);
    for (const sample of again.flat()) expect(epochs.has(sample)).toBe(false);
  });

  test('that throws or returns nothing is named with its rows, and its batch is not counted', async () => {
    const boom = new SpiralDataLoader(source(), {
      ...shuffled,
      transformFn: function augment(_, { step }) {
        if (step === 2) throw new RangeError('too bright');
        return step;
      },
    });
    const failure = (async () => {
      for await (const _ of boom);
    })();
    await expect(failure).rejects.toMatchObject({
      code: 'transform_failed',
      message: expect.stringMatching(/augment.*batch 2 of epoch 0.*too bright/),
      cause: expect.any(RangeError),
      details: { step: 2, shards: expect.any(Array) },
    });
    expect(boom.stateDict()).toMatchObject({ step: 2, samplesYielded: 20 });

    const silent = new SpiralDataLoader(source(), { ...shuffled, transformFn: () => undefined });
    expect(await codeOf(take(silent as unknown as SpiralDataLoader))).toBe('invalid_transform');
  });
});

describe('what is wrong is refused', () => {
  test.each<[DataLoaderOptions<RecordBatch>, string, RegExp]>([
    [{ batchSize: 0 }, 'invalid_size', /batchSize.*at least 1.*got 0/],
    [{ batchSize: 2.5 }, 'invalid_size', /batchSize.*2\.5/],
    [{ batchSize: -1 }, 'invalid_size', /batchSize/],
    [{ shuffleBufferSize: -1 }, 'invalid_size', /shuffleBufferSize/],
    [{ interleaveShards: 0 }, 'invalid_size', /interleaveShards/],
    [{ shuffleChunkRows: 0 }, 'invalid_size', /shuffleChunkRows/],
    [{ skipSamples: -5 }, 'invalid_size', /skipSamples/],
    [{ seed: 0.5 }, 'invalid_size', /seed/],
    [{ epoch: -1 }, 'invalid_size', /epoch/],
    [{ batchReadahead: Number.NaN }, 'invalid_size', /batchReadahead/],
    [{ infinite: 'yes' as never }, 'invalid_argument', /infinite.*true or false/],
    [{ batchsize: 3 } as never, 'invalid_argument', /batchsize.*Did you mean 'batchSize'/],
    [{ transformFn: 'tokenize' as never }, 'invalid_transform', /transformFn/],
    [{ world: { rank: 0, worldSize: 1 } as never }, 'invalid_world', /world/],
  ])('%j', (options, code, message) => {
    expect(() => new SpiralDataLoader(source(), options)).toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('an empty source, a batch larger than the data, a skip behind the end', async () => {
    expect(await codeOf(take(new SpiralDataLoader(new MemorySource({ shards: [], batchRows: 1 }))))).toBe('no_rows');
    expect(await codeOf(take(new SpiralDataLoader(new MemorySource({ shards: [0, 0], batchRows: 1 }))))).toBe(
      'no_rows',
    );
    expect(await codeOf(take(new SpiralDataLoader(source(), { batchSize: 101 })))).toBe('batch_too_large');
    expect((await take(new SpiralDataLoader(source(), { batchSize: 100 }))).length).toBe(1);
    expect((await take(new SpiralDataLoader(new MemorySource({ shards: [3], batchRows: 9 })))).length).toBe(1);
    expect(await codeOf(take(new SpiralDataLoader(source(), { skipSamples: 101 })))).toBe('invalid_size');
  });

  test('but not the default batch size, also where a loader is resumed or peeked at', async () => {
    const few = new MemorySource({ shards: [3], batchRows: 9 });
    const loader = new SpiralDataLoader(few);
    expect((await loader.peek()).numRows).toBe(3);
    const dropping = new SpiralDataLoader(few, { transformFn: () => null });
    expect(await codeOf(dropping.peek())).toBe('no_rows');
    const resumed = SpiralDataLoader.fromStateDict(few, loader.stateDict());
    expect((await take(resumed)).flat().length).toBe(3);
    expect(await codeOf(take(SpiralDataLoader.fromStateDict(few, loader.stateDict(), { batchSize: 4 })))).toBe(
      'batch_too_large',
    );
  });

  test('an infinite loader that never has a batch', async () => {
    const none = new MemorySource({ ...settings, keep: () => false });
    expect(await codeOf(take(new SpiralDataLoader(none, { infinite: true })))).toBe('no_rows');
    const short = new SpiralDataLoader(source(), {
      infinite: true,
      dropLast: true,
      batchSize: 60,
      world: new World({ rank: 0, worldSize: 3 }),
    });
    expect(await codeOf(take(short))).toBe('no_rows');
  });
});

describe('a state', () => {
  const stateAt = async (batches: number): Promise<LoaderState> => {
    const loader = new SpiralDataLoader(source(), shuffled);
    await take(loader, batches);
    return loader.stateDict();
  };

  test('is refused with other order settings in mid-epoch, each named, and taken at the start of an epoch', async () => {
    const state = await stateAt(4);
    const resume = (options: DataLoaderOptions): unknown => SpiralDataLoader.fromStateDict(source(), state, options);
    expect(() => resume({ seed: 1, shuffleBufferSize: 3 })).toThrowError(
      expect.objectContaining({
        code: 'state_mismatch',
        message: expect.stringMatching(/seed: 42.*shuffleBufferSize: 25/),
      }),
    );
    for (const options of [{ shuffleShards: false }, { interleaveShards: 3 }, { shuffleChunkRows: 9 }]) {
      expect(() => resume(options)).toThrowError(expect.objectContaining({ code: 'state_mismatch' }));
    }
    const fresh = new SpiralDataLoader(source(), shuffled).stateDict();
    const other = SpiralDataLoader.fromStateDict(source(), fresh, { seed: 1 });
    expect((await take(other)).flat()).toEqual(
      (await take(new SpiralDataLoader(source(), { ...shuffled, seed: 1 }))).flat(),
    );
  });

  test('is refused by another source, each field named', async () => {
    const state = await stateAt(2);
    const other = new MemorySource(settings, { table: 'another', version: 3 });
    const loader = SpiralDataLoader.fromStateDict(other, state);
    await expect(take(loader)).rejects.toMatchObject({
      code: 'state_mismatch',
      message: expect.stringMatching(/table: "memory" in the state, "another" now; version: null in the state, 3 now/),
    });
  });

  test.each<[unknown, string]>([
    [null, 'invalid_state'],
    ['state', 'invalid_state'],
    [{}, 'invalid_state'],
    [{ version: 99 }, 'state_version'],
    [{ version: 1, epoch: -1 }, 'invalid_state'],
    [{ version: 1, epoch: 0, step: 0, epochStep: 0, samplesYielded: 0.5 }, 'invalid_state'],
  ])('is not %j', (state, code) => {
    expect(() => SpiralDataLoader.fromStateDict(source(), state as LoaderState)).toThrowError(
      expect.objectContaining({ code }),
    );
  });

  test('of several ranks is chosen by the rank of the world', async () => {
    const worlds = [0, 1].map((rank) => new World({ rank, worldSize: 2 }));
    const loaders = worlds.map((world) => new SpiralDataLoader(source(), { ...shuffled, world }));
    for (const loader of loaders) await take(loader, 2);
    const states = loaders.map((loader) => loader.stateDict());
    const resumed = worlds.map((world) => SpiralDataLoader.fromStateDict(source(), states, { world }));
    const rest = await Promise.all(resumed.map((loader) => take(loader)));
    const whole = await Promise.all(
      worlds.map((world) => take(new SpiralDataLoader(source(), { ...shuffled, world }))),
    );
    expect(rest).toEqual(whole.map((batches) => batches.slice(2)));
    expect(() => SpiralDataLoader.fromStateDict(source(), states)).toThrowError(
      expect.objectContaining({ code: 'invalid_state' }),
    );
  });
});
