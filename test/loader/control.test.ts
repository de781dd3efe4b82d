import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { ProgressLine } from '../../src/core/progress-line.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { typescript } from '../typescript.js';
import { codeOf } from './loader-cases.js';
import { MemorySource, samplesOf, take } from './memory-source.js';

const source = (): MemorySource => new MemorySource({ shards: [30, 50, 20], batchRows: 8 });
const shuffled: DataLoaderOptions = { batchSize: 10, shuffleBufferSize: 25, interleaveShards: 2, shuffleChunkRows: 8 };

describe('replayCached', () => {
  test('gives the batches that come next for ever, and moves nothing', async () => {
    const whole = await take(new SpiralDataLoader(source(), shuffled));
    const loader = new SpiralDataLoader(source(), shuffled);
    const run = loader[Symbol.asyncIterator]();
    await run.next();
    const before = loader.stateDict();
    const replayed = loader.replayCached(3);
    const three = whole.slice(1, 4);
    expect(await take(replayed, 8)).toEqual([...three, ...three, ...three.slice(0, 2)]);
    expect(await take(replayed, 2)).toEqual(three.slice(0, 2));
    expect(loader.stateDict()).toEqual(before);
    expect(loader.stats().batches).toBe(1);
    const rest: string[][] = [];
    for (let next = await run.next(); !next.done; next = await run.next()) rest.push(samplesOf(next.value));
    expect(rest).toEqual(whole.slice(1));
  });

  test('of more batches than the epoch has gives those, whatever maxSteps and infinite say', async () => {
    const whole = await take(new SpiralDataLoader(source(), shuffled));
    const loader = new SpiralDataLoader(source(), { ...shuffled, infinite: true, maxSteps: 2 });
    expect(await take(loader.replayCached(1000), 25)).toEqual([...whole, ...whole, ...whole.slice(0, 5)]);
  });

  test('reads its batches once, before the first', async () => {
    const spied = source();
    const replayed = new SpiralDataLoader(spied, shuffled).replayCached(4)[Symbol.asyncIterator]();
    expect(spied.reads).toEqual([]);
    await replayed.next();
    const read = spied.rowsRead;
    for (let batch = 0; batch < 20; batch++) await replayed.next();
    expect(read).toBeGreaterThanOrEqual(40);
    expect(spied.rowsRead).toBe(read);
  });

  test('behind the last batch of an epoch goes on with the next one', async () => {
    const loader = new SpiralDataLoader(source(), shuffled);
    const run = loader[Symbol.asyncIterator]();
    for (let batch = 0; batch < 10; batch++) await run.next();
    const next = await take(new SpiralDataLoader(source(), { ...shuffled, epoch: 1 }), 2);
    expect(await take(loader.replayCached(2), 2)).toEqual(next);
    await run.return();
  });

  test('ends where it has nothing to give, is closed or cancelled, and refuses a bad number', async () => {
    const none = new SpiralDataLoader(source(), { ...shuffled, transformFn: () => null });
    expect(await codeOf(none.replayCached(3)[Symbol.asyncIterator]().next())).toBe('no_rows');
    const abort = new AbortController();
    const loader = new SpiralDataLoader(source(), { ...shuffled, signal: abort.signal });
    const replayed = loader.replayCached(2)[Symbol.asyncIterator]();
    await replayed.next();
    abort.abort();
    expect(await codeOf(replayed.next())).toBe('cancelled');
    await loader.close();
    expect(await codeOf(loader.replayCached(2)[Symbol.asyncIterator]().next())).toBe('closed');
    for (const batches of [0, -1, 1.5, Number.NaN]) {
      expect(() => loader.replayCached(batches)).toThrowError(expect.objectContaining({ code: 'invalid_size' }));
    }
  });

  test('gives timers their turn', async () => {
    let fired = 0;
    let given = 0;
    const timer = setInterval(() => fired++, 1);
    for await (const _ of new SpiralDataLoader(source(), shuffled).replayCached(2)) {
      // Millions of batches would pass before this, were timers starved.
      if (fired > 3 || ++given === 50_000_000) break;
    }
    clearInterval(timer);
    expect(fired).toBeGreaterThan(3);
  });
});

describe("shuffle: 'epoch'", () => {
  const sorted = new MemorySource({ shards: [6000, 6000], batchRows: 500 });
  const meaning = { shuffleShards: true, shuffleChunkRows: 1024, interleaveShards: 8, shuffleBufferSize: 8192 };

  test('mixes key-sorted rows, which a plain loader does not', async () => {
    const plain = new SpiralDataLoader(sorted, { batchSize: 100 });
    const mixed = new SpiralDataLoader(sorted, { batchSize: 100, shuffle: 'epoch' });
    const [inOrder, all] = [await take(plain), await take(mixed)];
    expect(plain.stats().shuffleQuality).toBeLessThan(0.2);
    expect(mixed.stats().shuffleQuality).toBeGreaterThan(0.8);
    expect(all.flat().sort()).toEqual(inOrder.flat().sort());
  });

  test('stands for four settings, of which those that are given win, and the state holds them', async () => {
    expect(new SpiralDataLoader(sorted, { shuffle: 'epoch' }).stateDict()).toMatchObject(meaning);
    const given = { shuffleBufferSize: 0, shuffleShards: false, interleaveShards: 3, shuffleChunkRows: 7 };
    expect(new SpiralDataLoader(sorted, { shuffle: 'epoch', ...given }).stateDict()).toMatchObject(given);
  });

  test('comes back from the state, and counts as its settings where it is said again', async () => {
    const loader = new SpiralDataLoader(sorted, { batchSize: 1000, shuffle: 'epoch' });
    const whole = await take(new SpiralDataLoader(sorted, { batchSize: 1000, shuffle: 'epoch' }));
    expect(await take(loader, 5)).toEqual(whole.slice(0, 5));
    const state = JSON.parse(JSON.stringify(loader.stateDict()));
    expect(await take(SpiralDataLoader.fromStateDict(sorted, state))).toEqual(whole.slice(5));
    expect(await take(SpiralDataLoader.fromStateDict(sorted, state, { shuffle: 'epoch' }))).toEqual(whole.slice(5));

    const plain = new SpiralDataLoader(sorted, { batchSize: 1000 });
    expect(SpiralDataLoader.fromStateDict(sorted, plain.stateDict(), { shuffle: 'epoch' }).stateDict()).toMatchObject(
      meaning,
    );
    await take(plain, 1);
    expect(() => SpiralDataLoader.fromStateDict(sorted, plain.stateDict(), { shuffle: 'epoch' })).toThrowError(
      expect.objectContaining({ code: 'state_mismatch' }),
    );
  });

  test('is the only word', () => {
    expect(() => new SpiralDataLoader(sorted, { shuffle: 'all' as never })).toThrowError(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });
});

describe('the progress line', () => {
  const rewrite = '\r\u001b[K';
  const lineOf = (columns = 200): { line: ProgressLine; written: string[] } => {
    const written: string[] = [];
    return { line: new ProgressLine({ columns, write: (text) => written.push(text) }), written };
  };

  test('shows rows, speed, data wait and the time left', () => {
    const { line, written } = lineOf();
    line.begin('epoch 2', 60_000, 1000);
    line.add(10_000, 20, 2000);
    line.add(10_000, 20, 3000);
    expect(written.at(-1)).toBe(
      `${rewrite}epoch 2 · 20,000 of 60,000 rows · 10,000 rows/s · data wait 2.0 % · ETA 00:04`,
    );
    line.begin('epoch 3', null, 3000);
    line.add(500, 500, 4000);
    expect(written.at(-1)).toBe(`${rewrite}epoch 3 · 500 rows · 500 rows/s · data wait 50.0 %`);
    line.begin('epoch 4', 7_000_000, 4000);
    line.add(1000, 0, 5000);
    expect(written.at(-1)).toMatch(/ETA 1:56:39$/);
  });

  test('is rewritten at most five times a second, never wraps, and ends with its last figures', () => {
    const { line, written } = lineOf(30);
    line.begin('epoch 0', 1000, 0);
    for (let ms = 1; ms <= 1000; ms++) line.add(1, 0, ms);
    expect(written.length).toBe(5);
    for (const text of written) expect(text.replace(rewrite, '').length).toBeLessThan(30);
    line.end(1001);
    expect(written.slice(5)).toEqual([expect.stringContaining('1,000 of 1,000 rows'), '\n']);
    line.end(1002);
    expect(written.length).toBe(7);
  });

  const program = (progress: boolean): string[] => {
    const file = fileURLToPath(new URL('show-progress.ts', import.meta.url));
    return [...typescript, file, String(progress)];
  };

  test('stays away where stderr is no terminal', () => {
    const run = spawnSync(process.execPath, program(true), { encoding: 'utf8', timeout: 60_000 });
    expect(run).toMatchObject({ stdout: '100\n', stderr: '', status: 0 });
  });

  const terminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;
  test.runIf(terminal)('appears where it is one, only where it is asked for', () => {
    const shown = (progress: boolean): string => {
      const command = [process.execPath, ...program(progress)].map((part) => `'${part}'`).join(' ');
      return spawnSync('script', ['-qec', command, join('/dev', 'null')], { encoding: 'utf8', timeout: 60_000 }).stdout;
    };
    const lines = shown(true).trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]!.split(rewrite).at(-1)).toMatch(
      /^epoch 0 · 100 of 100 rows · [\d,]+ rows\/s · data wait [\d.]+ %\r*$/,
    );
    expect(lines[1]).toBe('100');
    expect(shown(false)).toBe('100\r\n');
  });
});

test('a progress option that is no flag is refused', () => {
  const progress = 'yes' as unknown as boolean;
  expect(() => new SpiralDataLoader<RecordBatch>(source(), { progress })).toThrowError(
    expect.objectContaining({ code: 'invalid_argument' }),
  );
});
