import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderSource } from '../../src/loader/source.js';
import { inline, mapWorkerLaws, type Options, shuffled, take } from './map-worker-laws.js';
import { MemorySource } from './memory-source.js';
import { type Told, tell } from './transforms/samples.js';

const memory = (): LoaderSource => new MemorySource({ shards: [130, 250, 120], batchRows: 16 });

mapWorkerLaws('in this process', memory, 1);

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
