import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { KeySpaceIndex } from '../../src/client/key-space-index.js';
import { Scan } from '../../src/client/scan.js';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { type FaultPlan, faultStore } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';
import { newTable, spiralAt } from './spiral-at.js';
import { WarehouseOver, withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;

const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: from + at, even: (from + at) % 2 === 0 }));

/** A project `p` with a table, an index `i` that was synced at its first version, and a second version. */
async function filled(): Promise<ObjectStore> {
  const store = await withProject(memoryStore(), 'p');
  const project = new WarehouseOver(store).project('p');
  const table = await project.createTable('t', { keySchema: { id: 'int32' } });
  await table.write(rows(0, 20), { batchRows: 4 });
  const index = await project.createKeySpaceIndex('i', 3, table, { where: table.col('even') });
  await index.sync();
  await table.write(rows(15, 30), { batchRows: 4 });
  return store;
}

/** The ids that the ranges of `index` give, range by range, and how many rows each says it has. */
async function rangesOf(warehouse: WarehouseOver, index: KeySpaceIndex): Promise<string> {
  if (index.asof === null) return 'never synced';
  const table = await warehouse.project('p').table('t');
  const { version } = await (await warehouse.openTable(table.id)).asof(index.asof);
  const recipe = scanRecipe([{ table: table.id, version }], table.node, table.col('even').node);
  const scan = new Scan(await warehouse.openScan(recipe), { batchReadahead: 8 });
  const ranges: unknown[] = [];
  for (const shard of await index.shards()) {
    const own = (await scan.toRows({ shards: [shard] })).map(({ id }) => id);
    expect(shard.cardinality).toBe(own.length);
    ranges.push(own);
  }
  return JSON.stringify(ranges);
}

/** What a new process finds in the index called `name`. */
async function found(store: ObjectStore, name = 'i'): Promise<string> {
  const warehouse = new WarehouseOver(store);
  return rangesOf(warehouse, await warehouse.project('p').keySpaceIndex(name));
}

async function copied(from: ObjectStore, but?: { path: string; bytes: Uint8Array }): Promise<ObjectStore> {
  const store = memoryStore();
  for await (const { path } of from.list('')) {
    await store.put(path, path === but?.path ? but.bytes : await from.get(path));
  }
  return store;
}

async function syncAt(store: ObjectStore): Promise<void> {
  await (await new WarehouseOver(store).project('p').keySpaceIndex('i')).sync();
}

describe('an index of which any byte was changed (law 22)', () => {
  it('gives the ranges that were synced, or an error that names the file, and a sync mends its ranges', async () => {
    const store = await filled();
    const expected = await found(store);
    const synced = await copied(store);
    await syncAt(synced);
    const newest = await found(synced);
    const paths: string[] = [];
    for await (const { path } of store.list('')) {
      if (path.startsWith('indexes/') || path.startsWith('projects/p/indexes/')) paths.push(path);
    }
    expect(paths.map((path) => path.replace(/idx_\w+/, 'ID').replace(/ranges\/\w+/, 'ranges/NAME'))).toEqual([
      'indexes/ID/index',
      `indexes/ID/log/${'1'.padStart(20, '0')}`,
      'indexes/ID/ranges/NAME',
      `projects/p/indexes/${'1'.padStart(20, '0')}`,
    ]);
    for (const path of paths) {
      const { length } = await store.get(path);
      for (let at = 0; at < length; at += lawRuns(5, 1)) {
        const bytes = Uint8Array.from(await store.get(path));
        bytes[at]! ^= 1 + ((at * 37) % 255);
        const damaged = await copied(store, { path, bytes });
        const given = await found(damaged).catch((error: unknown) => error);
        if (typeof given === 'string') expect(given, `${path}, byte ${at}`).toBe(expected);
        else {
          expect(isSpiralError(given, 'corrupt_log', 'unsupported'), `${path}, byte ${at}: ${String(given)}`).toBe(
            true,
          );
          expect((given as SpiralError).message).toContain(path.split('/').slice(-2).join('/'));
        }
        if (!path.includes('/ranges/')) continue;
        expect(isSpiralError(given)).toBe(true);
        if (at % 25 > 0) continue;
        await syncAt(damaged);
        expect(await found(damaged)).toBe(newest);
      }
      for (const cut of [0, 5, length - 1]) {
        const short = await copied(store, { path, bytes: (await store.get(path)).slice(0, cut) });
        expect(isSpiralError(await found(short).catch((error: unknown) => error), 'corrupt_log')).toBe(true);
      }
    }
  });

  it('is synced again where its ranges were lost, also at the version that they were of', async () => {
    const store = await filled();
    await syncAt(store);
    const expected = await found(store);
    for await (const { path } of store.list('indexes/')) if (path.includes('/ranges/')) await store.delete(path);
    const lost = await found(store).catch((error: unknown) => error);
    expect(lost).toMatchObject({ code: 'corrupt_log' });
    await syncAt(store);
    expect(await found(store)).toBe(expected);
  });
});

const works: Readonly<Record<string, (store: ObjectStore) => Promise<void>>> = {
  sync: syncAt,
  'create and sync': async (store) => {
    const project = new WarehouseOver(store).project('p');
    const table = await project.table('t');
    const options = { where: table.col('even'), existOk: true };
    await (await project.createKeySpaceIndex('second', 4, table, options)).sync();
  },
};

describe('a store that fails, answers late or dies while an index is synced (law 16)', () => {
  it.each(Object.keys(works))(
    'leaves the ranges from before or after, whole: %s',
    { timeout: 900_000 },
    async (name) => {
      const index = name === 'sync' ? 'i' : 'second';
      const state = (store: ObjectStore): Promise<string> =>
        found(store, index).catch((error: unknown) => {
          if (isSpiralError(error, 'unknown_index')) return 'no index';
          throw error;
        });
      const base = await filled();
      const before = await state(base);
      const counted = faultStore(await copied(base));
      await works[name]!(counted);
      const after = await state(counted);
      expect(after).not.toBe(before);
      const fates: readonly ((number: number) => FaultPlan)[] = [
        (number) => ({ crashAfter: number, crash: 'before' }),
        (number) => ({ crashAfter: number, crash: 'during' }),
        (number) => ({ crashAfter: number, crash: 'after' }),
        (number) => ({ failShare: 1, only: nth(number) }),
        (number) => ({ loseAnswerShare: 1, only: nth(number) }),
      ];
      for (let number = 1; number <= counted.operations; number++) {
        const changes = /put|delete/i.test(counted.log[number - 1]!.op);
        if (!changes && number % lawRuns(4, 1) > 0) continue;
        for (const [at, fate] of fates.entries()) {
          if ((number + at) % lawRuns(changes ? 2 : fates.length, 1) !== 0) continue;
          const store = await copied(base);
          const error: unknown = await works[name]!(faultStore(store, fate(number))).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error !== undefined && !isSpiralError(error, 'unavailable')) throw error;
          const now = await state(store);
          const allowed = name === 'sync' ? [before, after] : [before, 'never synced', after];
          expect(allowed, `operation ${number}`).toContain(now);
          if (error === undefined) expect(now).toBe(after);
          await works[name]!(store);
          expect(await state(store)).toBe(after);
        }
      }
    },
  );
});

function nth(number: number): () => boolean {
  let asked = 0;
  return () => ++asked === number;
}

describe('syncs at once', () => {
  it('of several processes, beside a writer, leave the ranges of one version, whole, and at last of the newest', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral, { id: 'int32' });
    await table.write(rows(0, 50), { batchRows: 8 });
    const made = await spiral.project('p').createKeySpaceIndex('i', 7, table, { where: table.col('even') });
    const script = fileURLToPath(new URL('sync-client.ts', import.meta.url));
    const turns = lawRuns(6, 200);
    const clients = Array.from({ length: 3 }, () =>
      fork(script, [folder.path, made.id, `${turns}`], { execArgv: [...typescript] }),
    );
    await Promise.all(clients.map((client) => once(client, 'message')));
    const told: number[] = [];
    const done = clients.map(async (client) => {
      client.on('message', (asof: unknown) => told.push(asof as number));
      return (await once(client, 'exit'))[0] as number;
    });
    for (const client of clients) client.send('go');
    let written = 50;
    const check = async (): Promise<void> => {
      const index = await spiral.keySpaceIndex(made.id);
      if (index.asof === null) return;
      const where = table.col('even');
      const scan = await spiral.scan(table, { where, asof: index.asof });
      const shards = await index.shards();
      expect(await scan.toRows({ shards })).toEqual(await scan.toRows());
      expect(shards.every(({ cardinality }) => cardinality! <= 14)).toBe(true);
    };
    for (let turn = 0; turn < turns; turn++, written += 3) {
      await table.write(rows(written, written + 3));
      await check();
    }
    expect(await Promise.all(done)).toEqual([0, 0, 0]);
    expect(told).toHaveLength(3 * turns);
    await check();
    const last = await spiral.keySpaceIndex(made.id);
    expect(last.asof).toBe(Math.max(...told));
    await last.sync();
    const total = (await last.shards()).reduce((sum, { cardinality }) => sum + cardinality!, 0);
    expect(total).toBe(Math.ceil(written / 2));
  }, 600_000);
});
