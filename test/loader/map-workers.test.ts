import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderSource } from '../../src/loader/source.js';
import { lawRuns } from '../laws.js';
import { inline, mapWorkerLaws, module, type Options, shuffled, take, untilError } from './map-worker-laws.js';
import { MemorySource } from './memory-source.js';
import { type Told, tell } from './transforms/samples.js';

const memory = (): LoaderSource => new MemorySource({ shards: [130, 250, 120], batchRows: 16 });

mapWorkerLaws('in this process', memory, 1);

test('a window that cannot be read costs none of the whole batches before it, whatever their size', async () => {
  const options = fc.record({
    batchSize: fc.integer({ min: 1, max: 70 }),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 30, max: 200 })),
    seed: fc.nat(),
    mapWorkers: fc.constantFrom(1, 2),
  });
  await fc.assert(
    fc.asyncProperty(options, fc.nat(384), fc.nat(3), async ({ mapWorkers, ...cut }, broken, delay) => {
      const settings = { shards: [400], batchRows: 16, delay: (read: number) => (read * delay) % 7 };
      const failing = (_: number, from: number) => (from >= broken ? new Error('the disk is gone') : undefined);
      const source = () => new MemorySource({ ...settings, fail: failing });
      const own = await untilError(source(), { ...cut, transformFn: tell, feeder: false });
      const transformFn = module('samples', 'tell');
      const mapped = await untilError(source(), { ...cut, transformFn, mapWorkers });
      expect(mapped.got).toStrictEqual(own.got);
      expect(mapped.state).toStrictEqual(own.state);
      expect(mapped.error.message).toBe(own.error.message);
      await using resumed = SpiralDataLoader.fromStateDict<Told>(new MemorySource(settings), mapped.state, {
        transformFn,
      });
      const whole = await inline(new MemorySource(settings), cut);
      expect([...mapped.got, ...(await take(resumed))]).toStrictEqual(whole);
    }),
    { numRuns: lawRuns(12, 200) },
  );
});

describe('the options of map workers', () => {
  test.each<[string, Options, string]>([
    ['a function with map workers', { mapWorkers: 2, transformFn: tell }, 'transformModule(import.meta.url'],
    ['no transform with map workers', { mapWorkers: 1 }, 'got undefined'],
    ['a transform that is neither', { transformFn: 'tokenize' as never }, 'got "tokenize"'],
    ['a bare name as module', { transformFn: { module: 'tokenizer' } }, 'import.meta.resolve'],
    ['an empty export', { transformFn: { module: 'file:///a.js', export: '' } }, '`export`'],
    ['a setup that is no name', { transformFn: { module: 'file:///a.js', setup: 5 as never } }, '`setup`'],
  ])('refuse %s', (_, options, text) => {
    expect(() => new SpiralDataLoader(memory(), options)).toThrowError(
      expect.objectContaining({ code: 'invalid_transform', message: expect.stringContaining(text) }),
    );
  });

  test('take a default export, a URL and a path', async () => {
    const url = new URL('./transforms/samples.ts', import.meta.url);
    const whole = await inline(memory(), shuffled);
    for (const transformFn of [{ module: url }, { module: url.pathname, export: 'tell' }]) {
      await using loader = new SpiralDataLoader<Told>(memory(), { ...shuffled, transformFn, mapWorkers: 1 });
      expect(await take(loader)).toStrictEqual(whole);
    }
  });
});
