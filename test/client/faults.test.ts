import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { type FaultPlan, type FaultStore, faultStore, type OperationRecord } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';
import { compactTo, rowsAt, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;
type Work = (warehouse: UpkeepWarehouse) => Promise<unknown>;

const rows = (from: number, to: number, more: Row): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

/** A warehouse with a table of six versions: writes that overlap, a deletion, two checkpoints and a tag. */
const template = (async (): Promise<ObjectStore> => {
  const store = await withProject(memoryStore(), 'p');
  const table = await new UpkeepWarehouse(store).project('p').createTable('t', { keySchema: { id: 'int64' } });
  await table.write(rows(0, 6, { a: 1, old: 'x' }));
  await table.write(rows(3, 9, { a: 2, s: { b: 1 } }));
  await table.tag('kept');
  await table.deleteKeys(rows(4, 6, {}));
  await table.write(rows(20, 22, { a: 3 }));
  await table.write(rows(0, 3, { old: null }));
  return store;
})();

async function copied(): Promise<ObjectStore> {
  const store = memoryStore();
  const from = await template;
  for await (const { path } of from.list('')) await store.put(path, await from.get(path));
  return store;
}

/** Rows from the last to the first, far more than the write may hold: they are spilled and merged. */
async function* descending(): AsyncGenerator<Row[]> {
  for (let at = 40; at > 0; at--) yield rows(at * 10, at * 10 + 10, { text: 'x'.repeat(1500) });
}

/** Everything that writes, by itself one step for those who read. */
const works: Record<string, Work> = {
  write: async (warehouse) => (await tableOf(warehouse)).write(rows(2, 5, { a: 9, added: true })),
  'a streaming write': async (warehouse) =>
    (await tableOf(warehouse)).write(descending(), { memoryBytesMax: 2 ** 20, batchRows: 100 }),
  'a transaction': async (warehouse) =>
    (await tableOf(warehouse)).transaction(async (txn) => {
      await txn.write(rows(0, 3, { a: 7, s: { b: 3 } }));
      await txn.dropColumns(['old']);
      await txn.deleteKeys(rows(1, 2, {}));
      await txn.write(rows(7, 9, { s: { b: 4 } }));
    }),
  'operations that are handed on': async (warehouse) => {
    const table = await tableOf(warehouse);
    const worker = table.txn();
    await worker.write(rows(0, 3, { a: 7 }));
    const operations = JSON.parse(JSON.stringify(await worker.take()));
    await table.transaction(async (txn) => txn.include(operations));
  },
  deleteKeys: async (warehouse) => (await tableOf(warehouse)).deleteKeys(rows(0, 2, {})),
  dropColumns: async (warehouse) => (await tableOf(warehouse)).dropColumns(['a', 's.b']),
  compact: async (warehouse) => compactTo(await warehouse.openTable((await tableOf(warehouse)).id), 2 ** 27),
  vacuum: async (warehouse) =>
    vacuumTable(await warehouse.openTable((await tableOf(warehouse)).id), { retainMs: 0, graceMs: -1000 }),
  tag: async (warehouse) => (await tableOf(warehouse)).tag('new'),
  untag: async (warehouse) => (await tableOf(warehouse)).untag('kept'),
  moveTable: (warehouse) => warehouse.project('p').moveTable('t', 'far'),
  renameTable: (warehouse) => warehouse.project('p').renameTable('t', 'other'),
  createTable: (warehouse) => warehouse.project('p').createTable('second', { keySchema: { k: 'utf8' } }),
};

/** Vacuum raises the floor, then deletes what is below; a table that was made is then opened: either may fail alone. */
const severalSteps = ['vacuum', 'createTable'];

const tableOf = (warehouse: UpkeepWarehouse): ReturnType<ReturnType<UpkeepWarehouse['project']>['table']> =>
  warehouse.project('p').table('t');

/** What a new process finds: the tables, their tags, and what each version holds, as text. */
async function found(store: ObjectStore): Promise<string> {
  const warehouse = new UpkeepWarehouse(store);
  const tables: unknown[] = [];
  for (const table of await warehouse.project('p').listTables()) {
    const tags = (await table.tags()).map(({ name, version }) => [name, version]);
    const { version } = await (await warehouse.openTable(table.id)).latest();
    const versions: unknown[] = [];
    for (let at = 1; at <= version; at++) {
      const read = await rowsAt(warehouse, table, at).catch((error: unknown) => {
        if (isSpiralError(error, 'version_vacuumed')) return error.code;
        throw error;
      });
      versions.push(read);
    }
    tables.push([table.identifier, tags, versions]);
  }
  return JSON.stringify(tables, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
}

/** What may become of operation `number` of a store. */
const fates: readonly ((number: number) => FaultPlan)[] = [
  (number) => ({ crashAfter: number, crash: 'before' }),
  (number) => ({ crashAfter: number, crash: 'during' }),
  (number) => ({ crashAfter: number, crash: 'after' }),
  (number) => ({ failShare: 1, only: nth(number) }),
  (number) => ({ loseAnswerShare: 1, only: nth(number) }),
  (number) => ({ delayMsMax: 4, only: nth(number) }),
];

function nth(number: number): () => boolean {
  let asked = 0;
  return () => ++asked === number;
}

/** The store once `work` met a fault, which must hold all or nothing of it; an acknowledged work, all. */
async function checkFault(name: string, plan: FaultPlan, states: { before: string; after: string }): Promise<void> {
  const base = await copied();
  const store: FaultStore = faultStore(base, plan);
  const error: unknown = await works[name]!(new UpkeepWarehouse(store)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error !== undefined && !isSpiralError(error, 'unavailable')) throw error;
  const state = await found(base);
  const isDone = state === states.after;
  if (!isDone) expect(state).toBe(states.before);
  if (error === undefined) expect(isDone).toBe(true);
  const isRefused = isSpiralError(error) && error.details['outcome'] !== 'unknown' && error.details['crash'] !== true;
  if (isRefused && !severalSteps.includes(name)) expect(isDone).toBe(false);
  if (!isDone) await works[name]!(new UpkeepWarehouse(base));
  expect(await found(base)).toBe(states.after);
}

/** The numbers of the operations that change something, of some others, and of the last: as many as there is time for. */
function chosen(log: readonly OperationRecord[]): number[] {
  const numbers = Array.from(log.keys(), (at) => at + 1);
  const isChange = (number: number): boolean => /put|delete/i.test(log[number - 1]!.op);
  const changes = thinned(numbers.filter(isChange), lawRuns(14, 400));
  const others = numbers.filter((number) => !isChange(number));
  return [...new Set([...changes, ...thinned(others, lawRuns(6, 60)), log.length])];
}

function thinned(numbers: readonly number[], most: number): number[] {
  const every = Math.ceil(numbers.length / most);
  return numbers.filter((_, at) => at % every === 0);
}

describe('a store that fails, answers late or dies at any operation (laws 16, 17)', () => {
  it.each(Object.keys(works))('leaves all of it or nothing: %s', { timeout: 900_000 }, async (name) => {
    const done = await copied();
    const states = { before: await found(done), after: '' };
    const counted = faultStore(done);
    await works[name]!(new UpkeepWarehouse(counted));
    states.after = await found(done);
    expect(states.after).not.toBe(states.before);
    for (const number of chosen(counted.log)) {
      for (const [at, fate] of fates.entries()) {
        if (number < counted.operations && (number + at) % lawRuns(fates.length, 1) !== 0) continue;
        const when = `operation ${number} of ${counted.operations}, ${JSON.stringify(fate(number))}`;
        await checkFault(name, fate(number), states).catch((error: unknown) => {
          throw new Error(`${when}: ${String(error)}`, { cause: error });
        });
      }
    }
  });
});
