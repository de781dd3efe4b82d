import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { codeOf } from './loader-cases.js';
import { MemorySource, take } from './memory-source.js';

interface Event {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: { readonly epoch: number; readonly step: number; readonly rows: number };
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': join(folder.path, 'warehouse') } });
  const table = await (await spiral.createProject('trace')).createTable('rows', { keySchema: { id: 'int32' } });
  await table.write({ id: Int32Array.from({ length: 1000 }, (_, id) => id) });
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

const memory = (): MemorySource => new MemorySource({ shards: [60, 40], batchRows: 8 });
const traceIn = (name: string): string => join(folder.path, name);

async function eventsOf(path: string, name: string): Promise<Event[]> {
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8')) as { traceEvents: Event[] };
  return traceEvents.filter((event) => event.name === name);
}

describe('a trace', () => {
  test.each([true, false])('holds one wait a batch, in order, and the transforms (feeder: %s)', async (feeder) => {
    const trace = traceIn(`whole-${feeder}.json`);
    const transformFn = async (batch: { numRows: number }): Promise<number> => {
      await new Promise((resolve) => setImmediate(resolve));
      return batch.numRows;
    };
    await using loader = scan.toDataLoader({ batchSize: 64, trace, feeder, transformFn });
    let batches = 0;
    for await (const _ of loader) batches++;
    expect(batches).toBe(16);
    const waits = await eventsOf(trace, 'wait');
    expect(waits.map(({ args }) => args.step)).toEqual(Array.from({ length: 16 }, (_, step) => step));
    expect(waits.reduce((rows, { args }) => rows + args.rows, 0)).toBe(1000);
    expect(waits.every(({ ph, ts, dur }) => ph === 'X' && ts > 0 && dur > 0)).toBe(true);
    // Waits follow each other; a thousandth of a microsecond is what sums of doubles may miss.
    expect(waits.every(({ ts }, at) => at === 0 || ts >= waits[at - 1]!.ts + waits[at - 1]!.dur - 1e-3)).toBe(true);
    expect(await eventsOf(trace, 'transform')).toHaveLength(16);
    for await (const _ of loader) batches++;
    const both = await eventsOf(trace, 'wait');
    expect(both.map(({ args }) => args.epoch)).toEqual(Array.from({ length: 32 }, (_, at) => (at < 16 ? 0 : 1)));
  });

  test('is written where the loop is left early, and by close', async () => {
    const trace = traceIn('early.json');
    const left = new SpiralDataLoader(memory(), { batchSize: 10, trace });
    await take(left, 3);
    expect(await eventsOf(trace, 'wait')).toHaveLength(3);
    expect(await eventsOf(trace, 'transform')).toEqual([]);
    const run = left[Symbol.asyncIterator]();
    await run.next();
    await run.next();
    await left.close();
    expect(await eventsOf(trace, 'wait')).toHaveLength(5);
  });

  test('does not hold what peek and replayCached read', async () => {
    const trace = traceIn('peek.json');
    const loader = new SpiralDataLoader(memory(), { batchSize: 10, trace });
    await take(loader);
    await loader.peek();
    await take(loader.replayCached(2), 5);
    await loader.close();
    expect(await eventsOf(trace, 'wait')).toHaveLength(10);
  });

  test('touches no file before the first batch is asked for', async () => {
    const trace = traceIn('never.json');
    const loader = new SpiralDataLoader(memory(), { trace });
    await loader.close();
    await expect(stat(trace)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('that cannot be written is an error before the first batch', async () => {
    const nowhere = join(folder.path, 'no', 'such', 'folder.json');
    const spied = memory();
    expect(await codeOf(take(new SpiralDataLoader(spied, { trace: nowhere })))).toBe('invalid_argument');
    expect(spied.reads).toEqual([]);
    for (const trace of ['', 3 as unknown as string]) {
      expect(() => new SpiralDataLoader(memory(), { trace })).toThrowError(
        expect.objectContaining({ code: 'invalid_argument' }),
      );
    }
  });
});
