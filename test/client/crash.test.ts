import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { Semaphore } from '../../src/core/semaphore.js';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';
import { onS3, s3Endpoint, s3Folder } from '../storage/s3-gateway.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { WarehouseOver, withProject } from './warehouse-over.js';

const key = { keySchema: { id: 'int64' } };
const first = [1n, 2n, 3n].map((id) => ({ id, text: `row ${id}`, meta: { size: Number(id), deep: { flag: true } } }));
const second = first.map(({ id }) => ({ id, text: 'newer', score: 0.5 }));
const both = first.map((row) => ({ ...row, text: 'newer', score: 0.5 }));

/** What a table holds after each step of `work`, by the number of steps; undefined: there is no table. */
const states = [undefined, [], first, both];

/** Makes a table and writes to it twice; `progress` counts the steps that were acknowledged. */
async function work(store: ObjectStore, progress: { steps: number }): Promise<void> {
  const table = await new WarehouseOver(store).project('p').createTable('t', key);
  progress.steps++;
  await table.write(first);
  progress.steps++;
  await table.write(second);
  progress.steps++;
}

/** What a new process finds. */
async function found(store: ObjectStore): Promise<object[] | undefined> {
  const warehouse = new WarehouseOver(store);
  const [table] = await warehouse.project('p').listTables();
  return table && warehouse.rows(table);
}

const asText = (rows: unknown): string =>
  JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'no table';

async function crashAt(base: ObjectStore, crashAfter: number, crash: 'before' | 'during' | 'after'): Promise<void> {
  const store = faultStore(await withProject(base, 'p'), { crashAfter, crash });
  const progress = { steps: 0 };
  const error: unknown = await work(store, progress).catch((reason: unknown) => reason);
  expect(store.crashed).toBe(true);
  if (error !== undefined) expect(isSpiralError(error, 'unavailable')).toBe(true);
  const rows = sorted(await found(base));
  const allowed = states.slice(progress.steps, progress.steps + 2).map(sorted);
  expect(allowed.map(asText), `operation ${crashAfter}, ${crash}`).toContain(asText(rows));

  const warehouse = new WarehouseOver(base);
  const table = await warehouse.project('p').createTable('t', { ...key, existOk: true });
  await table.write(first);
  await table.write(second);
  expect(await warehouse.rows(table)).toEqual(both);
}

/** Rows with their columns by name, so that their text tells whether they are equal. */
function sorted(rows: readonly object[] | undefined): unknown {
  return rows?.map((row) => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))));
}

const fates = ['before', 'during', 'after'] as const;
/** Crashes on a server that are tried side by side. */
const atOnce = 4;

describe('a crash (law 16)', () => {
  it('at any operation of making and writing a table leaves each commit whole or absent', async () => {
    const counted = faultStore(await withProject(memoryStore(), 'p'));
    await work(counted, { steps: 0 });
    expect(counted.operations).toBeGreaterThan(15);
    for (let number = 1; number <= counted.operations; number++) {
      for (const fate of fates) await crashAt(memoryStore(), number, fate);
    }
  });

  it('does the same in files', async () => {
    const counted = faultStore(await withProject(memoryStore(), 'p'));
    await work(counted, { steps: 0 });
    for (let number = 1; number <= counted.operations; number++) {
      await using folder = await temporaryFolder();
      await crashAt(fileStore(folder.path), number, fates[number % 3]!);
    }
  });
});

describe.skipIf(s3Endpoint === undefined)(`a crash (law 16) ${onS3}`, () => {
  it('at any operation leaves each commit whole or absent', async () => {
    const counted = faultStore(await withProject(memoryStore(), 'p'));
    await work(counted, { steps: 0 });
    const each = lawRuns(9, 1);
    const crashes = Array.from({ length: counted.operations }, (_, at) => at + 1)
      .filter((number) => (number - 1) % each === 0)
      .flatMap((number) => (each === 1 ? fates : [fates[number % 3]!]).map((fate) => [number, fate] as const));
    // Several at a time: each waits for the server most of the time, and has a folder of its own.
    const slots = new Semaphore(atOnce);
    await Promise.all(
      crashes.map(([number, fate]) => slots.run(async () => crashAt(openStore(await s3Folder()), number, fate))),
    );
  }, 1_800_000);
});
