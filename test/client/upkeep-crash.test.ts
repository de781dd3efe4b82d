import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/client/table.js';
import { isSpiralError } from '../../src/core/errors.js';
import { Semaphore } from '../../src/core/semaphore.js';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { faultStore, type OperationRecord } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';
import { onS3, s3Endpoint, s3Folder } from '../storage/s3-gateway.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { compactTo, rowsAt, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

const all = [1n, 2n, 3n, 4n, 5n];
const rowsOf = (ids: readonly bigint[], more: object): object[] => ids.map((id) => ({ id, ...more }));

/** What each version holds once all was done; 3 is tagged, compaction makes 6, and 7 is a write after it. */
const contents: readonly (object[] | undefined)[] = [
  undefined,
  [],
  rowsOf(all.slice(0, 2), { text: 'a' }),
  rowsOf(all.slice(0, 3), { text: 'a' }),
  rowsOf(all, { text: 'a' }),
  rowsOf(all, { text: 'a', meta: { size: 1 } }),
  rowsOf(all, { text: 'a', meta: { size: 1 } }),
  [...rowsOf(all, { text: 'a', meta: { size: 1 } }), { id: 6n, text: 'b', meta: { size: null } }],
];

/** Writes the table of the story, up to version 5. */
async function written(store: ObjectStore): Promise<string> {
  const warehouse = new UpkeepWarehouse(await withProject(store, 'p'));
  const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int64' } });
  await table.write(rowsOf(all.slice(0, 2), { text: 'a' }));
  await table.write(rowsOf(all.slice(2, 3), { text: 'a' }));
  await table.tag('mine');
  await table.write(rowsOf(all.slice(3), { text: 'a' }));
  await table.write(rowsOf(all, { meta: { size: 1 } }));
  return table.id;
}

const template = memoryStore();
const templateId = written(template);

/** Puts the table of the story into `store`. */
async function copied(store: ObjectStore): Promise<string> {
  const tableId = await templateId;
  for await (const { path } of template.list('')) await store.put(path, await template.get(path));
  return tableId;
}

/** Compacts, writes and vacuums; `progress` counts what was acknowledged. */
async function upkeep(store: ObjectStore, tableId: string, progress: { steps: number }): Promise<void> {
  const warehouse = new UpkeepWarehouse(store);
  const opened = await warehouse.openTable(tableId);
  await compactTo(opened, 2 ** 27);
  progress.steps++;
  const table = await warehouse.project('p').table('t');
  await table.write([{ id: 6n, text: 'b' }]);
  progress.steps++;
  await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
  progress.steps++;
}

async function checkVersions(store: ObjectStore, progress: number): Promise<void> {
  const warehouse = new UpkeepWarehouse(store);
  const table: Table = await warehouse.project('p').table('t');
  const opened = await warehouse.openTable(table.id);
  const { version: newest } = await opened.latest();
  expect([5, 6, 7].slice(Math.min(2, progress), progress + 2)).toContain(newest);
  const { floor } = await opened.upkeep.now();
  for (let version = 1; version <= newest; version++) {
    if (version < floor && version !== 3) {
      await expect(opened.at(version)).rejects.toMatchObject({ code: 'version_vacuumed' });
    } else {
      expect(await rowsAt(warehouse, table, version), `version ${version}`).toEqual(contents[version]);
    }
  }
}

async function crashAt(base: ObjectStore, crashAfter: number, crash: 'before' | 'during' | 'after'): Promise<void> {
  const tableId = await copied(base);
  const store = faultStore(base, { crashAfter, crash });
  const progress = { steps: 0 };
  const error: unknown = await upkeep(store, tableId, progress).catch((reason: unknown) => reason);
  expect(store.crashed).toBe(true);
  if (error !== undefined) expect(isSpiralError(error, 'unavailable')).toBe(true);
  await checkVersions(base, progress.steps);
  // The next process does the rest, and nothing is left that no kept version needs.
  const warehouse = new UpkeepWarehouse(base);
  const table = await warehouse.project('p').table('t');
  const opened = await warehouse.openTable(tableId);
  await table.write([{ id: 6n, text: 'b' }]);
  await compactTo(opened, 2 ** 27);
  await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
  expect(await warehouse.rows(table)).toEqual(contents[7]);
  expect(await rowsAt(warehouse, table, 3)).toEqual(contents[3]);
  const { otherFiles, logEntries, checkpoints, version, floor } = await table.inspect();
  expect(floor).toBe(version);
  expect(logEntries).toBe(1);
  expect(new Set(checkpoints.map((checkpoint) => checkpoint.version))).toEqual(new Set([3, version]));
  // Version 3 reads two fragments of one file each.
  expect(otherFiles.count).toBe(2);
}

/** The operations that upkeep takes, in order. */
async function operationsOf(): Promise<readonly OperationRecord[]> {
  const store = memoryStore();
  const tableId = await copied(store);
  const counted = faultStore(store);
  await upkeep(counted, tableId, { steps: 0 });
  return counted.log;
}

describe('a crash at any operation of compaction, checkpoints and vacuum (laws 16, 19)', () => {
  it('loses no version that is kept, and the next upkeep leaves nothing behind', async () => {
    const operations = await operationsOf();
    expect(operations.length).toBeGreaterThan(40);
    for (const [at, { op }] of operations.entries()) {
      await crashAt(memoryStore(), at + 1, 'after');
      if (op === 'put') await crashAt(memoryStore(), at + 1, 'during');
    }
  });

  it('does the same in files', async () => {
    const operations = await operationsOf();
    for (const [at, { op }] of operations.entries()) {
      if (!/put|delete/.test(op) || at % lawRuns(5, 1) !== 0) continue;
      await using folder = await temporaryFolder();
      await crashAt(fileStore(folder.path), at + 1, op === 'put' ? 'during' : 'after');
    }
  });
});

describe.skipIf(s3Endpoint === undefined)(`a crash of upkeep (laws 16, 19) ${onS3}`, () => {
  it('loses no version that is kept', async () => {
    const operations = await operationsOf();
    const crashes = [...operations.entries()].filter(
      ([at, { op }]) => /put|delete/.test(op) && at % lawRuns(30, 1) === 0,
    );
    // Several at a time: each waits for the server most of the time, and has a folder of its own.
    const slots = new Semaphore(4);
    await Promise.all(
      crashes.map(([at, { op }]) =>
        slots.run(async () => crashAt(openStore(await s3Folder()), at + 1, op === 'put' ? 'during' : 'after')),
      ),
    );
  }, 1_800_000);
});
