import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { type FaultPlan, faultStore } from '../../src/testing/fault-store.js';
import { WarehouseOver, withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;

const rows = (from: number, to: number, more: Row): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

const before = rows(0, 3, { a: 1, old: 'x' });
const after = [...rows(0, 3, { a: 2, s: { b: 3 } }), ...rows(7, 9, { a: null, s: { b: 4 } })];

/** A table with rows in it. */
async function made(): Promise<ObjectStore> {
  const store = await withProject(memoryStore(), 'p');
  const table = await new WarehouseOver(store).project('p').createTable('t', { keySchema: { id: 'int64' } });
  await table.write(before);
  return store;
}

/** One transaction of two writes and a drop. */
async function work(store: ObjectStore): Promise<void> {
  const table = await new WarehouseOver(store).project('p').table('t');
  await table.transaction(async (txn) => {
    await txn.write(rows(0, 3, { a: 2, s: { b: 3 } }));
    await txn.dropColumns(['old']);
    await txn.write(rows(7, 9, { s: { b: 4 } }));
  });
}

/** What a new process finds, with the version. */
async function found(store: ObjectStore): Promise<{ rows: Row[]; version: number }> {
  const warehouse = new WarehouseOver(store);
  const table = await warehouse.project('p').table('t');
  const { version } = await (await warehouse.openTable(table.id)).latest();
  return { rows: await warehouse.rows(table), version };
}

async function check(store: ObjectStore, error: unknown, when: string): Promise<void> {
  if (error !== undefined && !isSpiralError(error, 'unavailable')) throw error;
  const state = await found(store);
  const isCommitted = state.version === 3;
  expect(state, when).toEqual({ rows: isCommitted ? after : before, version: isCommitted ? 3 : 2 });
  if (error === undefined) expect(isCommitted, when).toBe(true);
  else if (isSpiralError(error) && error.details['outcome'] !== 'unknown' && error.details['crash'] !== true) {
    expect(isCommitted, when).toBe(false);
  }
  if (!isCommitted) await work(store);
  expect((await found(store)).rows).toEqual(after);
}

const operationsOf = async (): Promise<number> => {
  const counted = faultStore(await made());
  await work(counted);
  return counted.operations;
};

describe('a transaction on a store', () => {
  it('that dies at any operation is there whole or not at all (law 16)', async () => {
    const count = await operationsOf();
    expect(count).toBeGreaterThan(8);
    for (let number = 1; number <= count; number++) {
      for (const crash of ['before', 'during', 'after'] as const) {
        const base = await made();
        const store = faultStore(base, { crashAfter: number, crash });
        const error: unknown = await work(store).catch((reason: unknown) => reason);
        expect(store.crashed).toBe(true);
        await check(base, error, `operation ${number}, ${crash}`);
      }
    }
  });

  it.each<[string, FaultPlan]>([
    ['fails', { failShare: 1 }],
    ['answers late and says that it failed', { loseAnswerShare: 1 }],
    ['answers after a while', { delayMsMax: 5 }],
  ])('that %s at any operation is acknowledged only if it is there, once (laws 16, 17)', async (_, plan) => {
    const count = await operationsOf();
    for (let number = 1; number <= count; number++) {
      const base = await made();
      let asked = 0;
      const store = faultStore(base, { ...plan, only: () => ++asked === number });
      const error: unknown = await work(store).catch((reason: unknown) => reason);
      await check(base, error, `operation ${number}`);
    }
  });
});
