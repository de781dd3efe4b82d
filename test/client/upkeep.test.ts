import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { macrotask, wallMicros } from '../../src/core/runtime.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { Fragment } from '../../src/table/version.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';
import { compactTo, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

const range = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, at) => BigInt(from + at));
const rowsOf = (from: number, to: number, more: object = {}): Record<string, unknown>[] =>
  range(from, to).map((id) => ({ id, ...more }));

const now = { retainMs: 0, graceMs: 0 };

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  return (await refusal(work)).code;
}

/** Lets the clock of the store go on, so that what was written is older than now. */
async function past(): Promise<void> {
  const from = wallMicros();
  while (wallMicros() - from < 2000) await macrotask();
}

describe('tags', () => {
  it('name versions, make none, and keep them from vacuum', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rowsOf(0, 3));
    const first = await table.tag('first');
    await table.write(rowsOf(3, 5));
    expect(await table.tag('first', first.time)).toEqual(first);
    expect(await codeOf(table.tag('first'))).toBe('already_exists');
    await table.write(rowsOf(5, 9));
    await table.tag('second');
    expect((await table.history()).map(({ version, tags }) => [version, ...tags])).toEqual([
      [1],
      [2, 'first'],
      [3],
      [4, 'second'],
    ]);
    const third = (await table.history())[2]!;
    await past();
    await table.write(rowsOf(9, 10));
    expect(await table.vacuum(now)).toMatchObject({ floor: 5, files: 0, entries: 4 });
    expect(await (await spiral.scan(table, { asof: first.time })).toRows()).toEqual(rowsOf(0, 3));
    const error = await refusal(spiral.scan(table, { asof: third.time }));
    expect(error).toMatchObject({ code: 'version_vacuumed', details: { floor: 5, tags: ['first', 'second'] } });
    expect(error.message).toContain('table.tag(');
    expect(await codeOf(table.tag('third', third.time))).toBe('version_vacuumed');
    await table.untag('first');
    expect((await table.tags()).map(({ name, version }) => [name, version])).toEqual([['second', 4]]);
    await past();
    await table.vacuum(now);
    expect(await codeOf(spiral.scan(table, { asof: first.time }))).toBe('version_vacuumed');
    expect((await table.history()).map(({ version }) => version)).toEqual([5]);
  });

  it('are refused under bad names, and missed by their nearest', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    for (const name of ['', 'a b', '../x', 'a.b', 5 as never]) {
      expect(await codeOf(table.tag(name))).toBe('invalid_identifier');
      expect(await codeOf(table.untag(name))).toBe('invalid_identifier');
    }
    await table.tag('release');
    const error = await refusal(table.untag('relaese'));
    expect(error.code).toBe('version_not_found');
    expect(error.message).toContain("'release'");
  });
});

describe('asof', () => {
  it('is refused before the table, in the future, and for what is no time', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const created = await table.snapshot().asof();
    expect(await codeOf(spiral.scan(table, { asof: created - 1 }))).toBe('version_not_found');
    expect(await codeOf(spiral.scan(table, { asof: wallMicros() + 10_000_000 }))).toBe('version_not_found');
    expect(await codeOf(table.snapshot(wallMicros() + 10_000_000).schema())).toBe('version_not_found');
    expect(await codeOf(spiral.scan(table, { asof: Number.NaN }))).toBe('invalid_argument');
    expect(await (await spiral.scan(table, { asof: created })).toRows()).toEqual([]);
  });
});

describe('history', () => {
  it('tells who changed what, in rows and bytes', async () => {
    await using spiral = spiralAt(undefined, { 'commit.author': 'ada@engine' });
    const table = await newTable(spiral);
    await table.write(rowsOf(0, 3, { text: 'a', s: { x: 1 } }));
    await table.write(rowsOf(3, 5, { text: 'b' }));
    await table.dropColumns(['s.x']);
    await table.compact();
    const history = await table.history();
    expect(history.map(({ operations }) => operations.map(({ kind, rows }) => [kind, rows]))).toEqual([
      [['create', 0]],
      [['write', 3]],
      [['write', 2]],
      [['drop', 0]],
      [['compact', 5]],
    ]);
    expect(history.map(({ author }) => author)).toEqual(Array(5).fill('ada@engine'));
    expect(history[1]!.operations[0]).toMatchObject({ columns: ['id', 'text', 's.x'], fragments: 1, replaced: 0 });
    expect(history[1]!.operations[0]!.bytes).toBeGreaterThan(100);
    expect(history[3]!.operations[0]!.columns).toEqual(['s.x']);
    expect(history[4]!.operations[0]).toMatchObject({ fragments: 1, replaced: 2 });
    expect(await table.history({ last: 2 })).toEqual(history.slice(3));
    expect(await codeOf(table.history({ last: 0 }))).toBe('invalid_size');
    expect(await codeOf(table.history({ lsat: 1 } as object))).toBe('invalid_argument');
  });

  it('says nothing of who where the client is set so', async () => {
    const uri = `memory://quiet-${wallMicros()}`;
    const table = await newTable(spiralAt(uri, { 'commit.author': '' }));
    expect((await table.history())[0]!.author).toBeNull();
    const signed = await spiralAt(uri).table(table.id);
    await signed.write(rowsOf(0, 1));
    expect((await table.history())[1]!.author).toMatch(/.+@.+/);
  });
});

/** A table in memory, its own store, and what it stores now. */
async function stored(): Promise<{
  table: Table;
  compact(bytes: number): Promise<void>;
  files(): Promise<string[][]>;
}> {
  const warehouse = new UpkeepWarehouse(await withProject(memoryStore(), 'p'));
  const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int64' } });
  const opened = await warehouse.openTable(table.id);
  const paths = ({ files }: Fragment): string[] => files.map(({ path }) => path);
  return {
    table,
    compact: (bytes) => compactTo(opened, bytes),
    files: async () => (await opened.latest()).fragments.map(paths),
  };
}

describe('compaction', () => {
  it('joins small neighbours, and has nothing to do after', async () => {
    const { table, compact, files } = await stored();
    for (let at = 0; at < 12; at++) await table.write(rowsOf(at * 4, at * 4 + 4, { text: `row ${at}` }));
    await compact(2 ** 27);
    expect(await files()).toHaveLength(1);
    const before = await table.snapshot().asof();
    expect(await table.compact()).toEqual({ fragmentsBefore: 1, fragmentsAfter: 1, bytesWritten: 0 });
    expect(await table.snapshot().asof()).toBe(before);
  });

  it('writes anew only column groups that are spread over several files', async () => {
    const { table, compact, files } = await stored();
    await table.write(rowsOf(0, 4, { label: 'a', image: { bytes: Uint8Array.of(1, 2) } }));
    const [[, image]] = (await files()) as [string[]];
    await table.write(rowsOf(0, 4, { label: 'b' }));
    await table.write(rowsOf(0, 4, { score: { x: 1 } }));
    await compact(1);
    const [[root, ...groups], ...others] = (await files()) as [string[]];
    expect(others).toEqual([]);
    expect(groups).toContain(image);
    expect(groups).toHaveLength(2);
    // The newest labels are in one file with their keys already, so nothing was written at all.
    expect((await table.history()).at(-1)!.operations[0]).toMatchObject({ kind: 'compact', replaced: 3 });
    await table.write(rowsOf(0, 4, { other: 'c' }));
    await compact(1);
    const [[newRoot, ...same]] = (await files()) as [string[]];
    expect(newRoot).not.toBe(root);
    expect(same.sort()).toEqual(groups.sort());
    await compact(1);
    expect(await files()).toEqual([[newRoot, ...same]].map((list) => expect.arrayContaining(list)));
  });

  it('keeps the compression that files have', async () => {
    const { table, compact } = await stored();
    const text = 'again and again '.repeat(500);
    for (let at = 0; at < 3; at++) await table.write(rowsOf(at * 4, at * 4 + 4, { text }), { compression: 'zstd' });
    await compact(2 ** 27);
    const { fragments } = await table.inspect();
    expect(fragments).toHaveLength(1);
    expect(fragments[0]!.bytes).toBeLessThan(text.length * 4);
  });

  it('conflicts with another of the same fragments, and leaves no file of its own then (law 17)', async () => {
    const store = await withProject(memoryStore(), 'p');
    const first = new UpkeepWarehouse(store);
    const table = await first.project('p').createTable('t', { keySchema: { id: 'int64' } });
    for (let at = 0; at < 6; at++) await table.write(rowsOf(at * 4, at * 4 + 4, { text: `row ${at}` }));
    const stores = await Promise.all([first, new UpkeepWarehouse(store)].map((one) => one.openTable(table.id)));
    const results = await Promise.allSettled(stores.map((one) => compactTo(one, 2 ** 27)));
    const errors = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
    expect(errors).toMatchObject([{ code: 'write_conflict' }]);
    const { dataFiles, otherFiles } = await table.inspect();
    expect([dataFiles.count, otherFiles.count]).toEqual([7, 6]);
    expect(await first.rows(table)).toHaveLength(24);
  });

  it('runs beside writers, whose rows are all there', async () => {
    const store = await withProject(memoryStore(), 'p');
    const warehouse = new UpkeepWarehouse(store);
    const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int64' } });
    const opened = await new UpkeepWarehouse(store).openTable(table.id);
    let writing = true;
    let compactions = 0;
    const compacting = (async () => {
      for (; writing; compactions++) {
        await compactTo(opened, 20_000);
        await macrotask();
      }
    })();
    for (let at = 0; at < 60; at++) {
      await table.write(rowsOf(at * 3, at * 3 + 3, { text: `row ${at}` }));
      await past();
    }
    writing = false;
    await compacting;
    await compactTo(opened, 2 ** 27);
    expect(compactions).toBeGreaterThan(1);
    expect(await warehouse.rows(table)).toEqual(
      range(0, 180).map((id) => ({ id, text: `row ${Math.floor(Number(id) / 3)}` })),
    );
  });
});

describe('vacuum', () => {
  it('disturbs no reader of a version that is kept, nor one that is reading on (laws 9, 19)', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    for (let at = 0; at < 5; at++)
      await table.write(rowsOf(at * 8, at * 8 + 8, { text: `row ${at}` }), { batchRows: 4 });
    const expected = await (await spiral.scan(table)).toRows();
    await table.tag('training');
    const scan = await spiral.scan(table);
    const loader = scan.toDataLoader({ batchSize: 3, shuffleBufferSize: 5, feeder: false });
    await using upkeep = new Spiral({ config: { 'warehouse.uri': folder.path } });
    const other = await upkeep.table(table.id);
    const seen: bigint[] = [];
    for await (const batch of loader) {
      for (let row = 0; row < batch.numRows; row++) seen.push(batch.getChildAt(0)!.get(row) as bigint);
      await other.write(rowsOf(40 + seen.length, 41 + seen.length));
      await other.compact();
      await past();
      await other.vacuum(now);
    }
    expect(seen.sort((a, b) => Number(a - b))).toEqual(expected.map(({ id }) => id));
    await loader.close();
    const again = await upkeep.resumeScan(scan.stateJson());
    expect(await again.toRows()).toEqual(expected);
  });

  it('ends what reads a version that is gone with an error that says so, whenever it was opened', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    for (let at = 0; at < 3; at++) await table.write(rowsOf(at * 8, at * 8 + 8, { text: `row ${at}` }));
    const scan = await spiral.scan(table);
    const loader = scan.toDataLoader({ batchSize: 3, feeder: false });
    const state = loader.stateDict();
    await loader.close();
    await using upkeep = spiralAt(folder.path);
    const other = await upkeep.table(table.id);
    await other.compact();
    await past();
    expect(await other.vacuum(now)).toMatchObject({ floor: 5, files: 3 });
    expect(await codeOf(scan.toRows())).toBe('version_vacuumed');
    expect(await codeOf(upkeep.resumeScan(scan.stateJson()))).toBe('version_vacuumed');
    await using resumed = scan.resumeDataLoader(state, { feeder: false });
    expect(await codeOf(resumed.peek())).toBe('version_vacuumed');
    expect(await (await spiral.scan(table)).toRows()).toHaveLength(24);
  });

  it('leaves to a writer what it made less than the grace period ago, and takes it after', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    await table.write(rowsOf(0, 3));
    await table.write(rowsOf(3, 6));
    await table.compact();
    expect(await table.vacuum({ retainMs: 0 })).toMatchObject({ floor: 4, files: 0, entries: 0 });
    const { otherFiles, fragments } = await table.inspect();
    expect(otherFiles.count).toBe(2);
    const day = wallMicros() / 1e6 - 25 * 3600;
    const root = join(folder.path, 'tables', table.id, 'data');
    const read = new Set(fragments.flatMap(({ files }) => files.map(({ path }) => path)));
    const { readdir } = await import('node:fs/promises');
    for (const name of await readdir(root)) await utimes(join(root, name), day, day);
    expect(await table.vacuum({ retainMs: 0 })).toMatchObject({ floor: 4, files: 2, entries: 0 });
    expect(new Set((await readdir(root)).map((name) => `data/${name}`))).toEqual(read);
    expect(await (await spiral.scan(table)).toRows()).toHaveLength(6);
  });

  it('keeps what was the newest within the time to retain', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    for (let at = 0; at < 4; at++) await table.write(rowsOf(at, at + 1));
    expect(await table.vacuum({ graceMs: 0 })).toEqual({ floor: 1, files: 0, bytes: 0, entries: 0 });
    expect(await table.history()).toHaveLength(5);
    for (const options of [{ retainMs: -1 }, { retainMs: 0.5 }, { graceMs: Number.NaN }]) {
      expect(await codeOf(table.vacuum(options))).toBe('invalid_size');
    }
    expect(await codeOf(table.vacuum({ retain: 1 } as object))).toBe('invalid_argument');
  });

  it('is noticed by a process that slept meanwhile: it reads the newest version, and its commits come in once', async () => {
    const store = await withProject(memoryStore(), 'p');
    const awake = new UpkeepWarehouse(store);
    const table = await awake.project('p').createTable('t', { keySchema: { id: 'int64' } });
    const sleepers = [new UpkeepWarehouse(store), new UpkeepWarehouse(store)];
    const [reader, writer] = await Promise.all(sleepers.map((warehouse) => warehouse.project('p').table('t')));
    await table.write(rowsOf(0, 1));
    expect(await sleepers[0]!.rows(reader!)).toHaveLength(1);
    expect(await sleepers[1]!.rows(writer!)).toHaveLength(1);
    for (let at = 1; at < 9; at++) await table.write(rowsOf(at, at + 1));
    await past();
    await table.vacuum(now);
    expect((await table.inspect()).logEntries).toBe(1);
    await writer!.write(rowsOf(20, 21));
    expect(await sleepers[0]!.rows(reader!)).toEqual([...rowsOf(0, 9), ...rowsOf(20, 21)]);
    expect((await table.history()).map(({ version }) => version)).toEqual([10, 11]);
  });

  it('by two at once, beside a writer, does no harm', async () => {
    const store = await withProject(memoryStore(), 'p');
    const warehouses = [0, 1, 2].map(() => new UpkeepWarehouse(store));
    const table = await warehouses[0]!.project('p').createTable('t', { keySchema: { id: 'int64' } });
    const [, ...others] = await Promise.all(warehouses.map((warehouse) => warehouse.project('p').table('t')));
    const vacuums = others.map(async (other) => {
      for (let turn = 0; turn < 8; turn++) await other.vacuum({ retainMs: 0, graceMs: 1 });
    });
    for (let at = 0; at < 20; at++) {
      await table.write(rowsOf(at, at + 1));
      await past();
    }
    await Promise.all(vacuums);
    expect(await warehouses[0]!.rows(table)).toEqual(rowsOf(0, 20));
    expect(await new UpkeepWarehouse(store).rows(table)).toEqual(rowsOf(0, 20));
  });
});

describe('inspect', () => {
  it('tells what a table is made of, as plain data', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rowsOf(0, 4, { text: 'a', s: { x: 1 } }));
    await table.write(rowsOf(4, 6, { text: 'b' }));
    await table.compact();
    const facts = await table.inspect();
    expect(JSON.parse(JSON.stringify(facts))).toEqual(facts);
    expect(facts).toMatchObject({
      tableId: table.id,
      name: 'default.t',
      version: 4,
      floor: 1,
      logEntries: 4,
      rowsStored: 6,
    });
    expect(facts.columns.map(({ path, type, key }) => [path, type, key])).toEqual([
      ['id', 'int64', true],
      ['text', 'utf8', false],
      ['s.x', 'float64', false],
    ]);
    expect(facts.fragments).toMatchObject([{ version: 3, commit: 4, rows: 6, keyMin: '(0)', keyMax: '(5)' }]);
    expect(facts.fragments[0]!.files.map(({ columns }) => columns)).toEqual([['id', 'text'], ['s.x']]);
    expect(facts.otherFiles.count).toBe(3);
    expect(facts.dataFiles.bytes).toBe(facts.bytes + facts.otherFiles.bytes);
  });
});
