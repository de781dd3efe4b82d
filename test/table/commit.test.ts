import { describe, expect, it } from 'vitest';
import { isSpiralError, SpiralError } from '../../src/core/errors.js';
import { commitsHeld } from '../../src/core/limits.js';
import { wallMicros } from '../../src/core/runtime.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import type { ColumnRef, WriteOperation } from '../../src/table/operation.js';
import { TableStore } from '../../src/table/table-store.js';
import { newColumnId } from '../../src/table/version.js';
import { type FaultPlan, faultStore } from '../../src/testing/fault-store.js';

const keys: ColumnRef[] = [{ path: ['id'], type: 'int64', id: 0 }];

async function newTable(store: ObjectStore = memoryStore()): Promise<ObjectStore> {
  expect(await TableStore.create(store, { kind: 'create', tableId: 't', keys })).toBe(true);
  return store;
}

/** A write of one row under the key `number`, of `columns`; its files are never read here. */
function writeOf(number: number, ...columns: ColumnRef[]): WriteOperation {
  const key = Uint8Array.of(0x80, 0, 0, 0, 0, 0, number >> 8, number & 255);
  const all = [...keys, ...columns];
  const file = { path: `data/${number}.arrow`, bytes: 1, columns: all.map((_, at) => at) };
  const keyDigest = new Uint8Array(32).fill(number);
  return {
    kind: 'write',
    columns: all,
    fragments: [{ rows: 1, batchRows: 1, keyMin: key, keyMax: key, batchKeys: [key], keyDigest, files: [file] }],
  };
}

const added = (name: string, type: string): ColumnRef => ({ path: name.split('.'), type, id: newColumnId });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SpiralError) return error.code;
  throw error ?? new Error('Expected a refusal.');
}

/** The numbers that were written, by version, and that versions and times are as law 18 has them. */
async function numbersIn(store: ObjectStore): Promise<string[]> {
  const table = new TableStore(store, 't');
  const { version: newest } = await table.latest();
  const paths: string[] = [];
  let time = 0;
  for (let version = 1; version <= newest; version++) {
    const at = await table.at(version);
    expect(at.version).toBe(version);
    expect(at.time).toBeGreaterThan(time);
    ({ time } = at);
    expect(await table.asof(time)).toMatchObject({ version });
    expect(at.fragments).toHaveLength(version - 1);
    if (version > 1) paths.push(at.fragments.at(-1)!.files[0]!.path);
  }
  return paths;
}

describe('writers who meet', () => {
  it('all come in, each once, in versions that follow one another', async () => {
    const store = await newTable();
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const table = new TableStore(store, 't');
      for (let turn = 0; turn < 5; turn++) await table.commit([writeOf(writer * 5 + turn)]);
    });
    await Promise.all(writers);
    expect((await numbersIn(store)).sort()).toEqual(Array.from({ length: 40 }, (_, at) => `data/${at}.arrow`).sort());
  });

  it('through one table too', async () => {
    const store = await newTable();
    const table = new TableStore(store, 't');
    await Promise.all(Array.from({ length: 20 }, (_, number) => table.commit([writeOf(number)])));
    expect(new Set(await numbersIn(store)).size).toBe(20);
  });
});

describe('an answer that was lost (law 17)', () => {
  const silent = (plan: FaultPlan): FaultPlan => ({ ...plan, only: ({ op }) => op === 'putIfAbsent' });

  it('is found in the log: the commit is there once and is acknowledged', async () => {
    const store = await newTable();
    const table = new TableStore(faultStore(store, silent({ loseAnswerShare: 1 })), 't');
    for (let number = 0; number < 5; number++) {
      expect(await table.commit([writeOf(number)])).toMatchObject({ version: number + 2 });
    }
    expect(await numbersIn(store)).toHaveLength(5);
  });

  it('is our own where the store says that another was first', async () => {
    const store = await newTable();
    const twice = faultStore(store);
    twice.putIfAbsent = async (path, body) => {
      await store.putIfAbsent(path, body);
      return store.putIfAbsent(path, body);
    };
    const table = new TableStore(twice, 't');
    expect(await table.commit([writeOf(1)])).toMatchObject({ version: 2 });
    expect(await table.commit([writeOf(2)])).toMatchObject({ version: 3 });
    expect(await numbersIn(store)).toEqual(['data/1.arrow', 'data/2.arrow']);
  });

  it('is sent again where the entry never arrived', async () => {
    const store = await newTable();
    const table = new TableStore(faultStore(store, silent({ seed: 3, failShare: 0.5 })), 't');
    for (let number = 0; number < 10; number++) await table.commit([writeOf(number)]);
    expect(await numbersIn(store)).toHaveLength(10);
  });

  it('does no harm among writers who meet: what was acknowledged is there, and nothing is there twice', async () => {
    const store = await newTable();
    const acknowledged: string[] = [];
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const faults = faultStore(store, { seed: writer, loseAnswerShare: 0.3, failShare: 0.1, delayMsMax: 2 });
      const table = new TableStore(faults, 't');
      for (let turn = 0; turn < 8; turn++) {
        const number = writer * 8 + turn;
        const error: unknown = await table.commit([writeOf(number)]).then(
          () => void acknowledged.push(`data/${number}.arrow`),
          (reason: unknown) => reason,
        );
        if (error !== undefined && !isSpiralError(error, 'unavailable')) throw error;
      }
    });
    await Promise.all(writers);
    const found = await numbersIn(store);
    expect(new Set(found).size).toBe(found.length);
    expect(found).toEqual(expect.arrayContaining(acknowledged));
    expect(acknowledged.length).toBeGreaterThan(0);
  });

  it('that cannot be looked for is said to be unknown', async () => {
    const store = await newTable();
    const table = new TableStore(faultStore(store, silent({ failShare: 1 })), 't');
    const error: unknown = await table.commit([writeOf(1)]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'unavailable', details: { outcome: 'unknown' } });
    expect(await numbersIn(store)).toEqual([]);
  });

  it('of another kind of failure is passed on once the entry is known not to be there', async () => {
    const store = await newTable();
    const full = faultStore(store);
    full.putIfAbsent = async () => {
      throw new SpiralError('storage_full', 'The disk is full.');
    };
    expect(await codeOf(new TableStore(full, 't').commit([writeOf(1)]))).toBe('storage_full');
  });
});

describe('operations made against an older version', () => {
  it('take the numbers of columns that came meanwhile', async () => {
    const store = await newTable();
    const table = new TableStore(store, 't');
    await table.commit([writeOf(1, added('a', 'utf8'), added('s.x', 'int32'))]);
    const version = await table.commit([writeOf(2, added('s.x', 'int32'), added('b', 'bool'), added('a', 'utf8'))]);
    expect(version.columns.map(({ id, path }) => [id, path.join('.')])).toEqual([
      [0, 'id'],
      [1, 'a'],
      [2, 's.x'],
      [3, 'b'],
    ]);
    expect(version.fragments.map(({ files }) => files[0]!.columns)).toEqual([
      [0, 1, 2],
      [0, 2, 3, 1],
    ]);
  });

  it('conflict where they cannot both hold', async () => {
    const table = new TableStore(await newTable(), 't');
    const { columns } = await table.commit([writeOf(1, added('a', 'utf8'), added('s.x', 'int32'))]);
    const [, a] = columns.map(({ id, path, type }) => ({ id, path, type: String(type).toLowerCase() }));
    const drop = { kind: 'drop', columns: [{ path: a!.path, id: a!.id }] } as const;
    expect(await codeOf(table.commit([writeOf(2, added('a', 'int64'))]))).toBe('write_conflict');
    expect(await codeOf(table.commit([writeOf(2, added('a.b', 'int64'))]))).toBe('write_conflict');
    expect(await codeOf(table.commit([writeOf(2, added('s', 'int64'))]))).toBe('write_conflict');
    expect(await codeOf(table.commit([drop, drop]))).toBe('write_conflict');
    await table.commit([drop]);
    expect(await codeOf(table.commit([drop]))).toBe('write_conflict');
    expect(await codeOf(table.commit([writeOf(2, a!)]))).toBe('write_conflict');
  });

  it('conflict with a drop of their column, also where one of that name and type came again', async () => {
    const table = new TableStore(await newTable(), 't');
    const { columns } = await table.commit([writeOf(1, added('a', 'utf8'))]);
    const old = columns[1]!;
    await table.commit([{ kind: 'drop', columns: [{ path: old.path, id: old.id }] }]);
    await table.commit([writeOf(2, added('a', 'utf8'))]);
    expect(await codeOf(table.commit([writeOf(3, { path: ['a'], type: 'utf8', id: old.id })]))).toBe('write_conflict');
  });

  it('come in wherever their keys lie, writes and deletions alike', async () => {
    const table = new TableStore(await newTable(), 't');
    await table.commit([writeOf(1)]);
    await table.commit([{ ...writeOf(1), kind: 'delete' }]);
    const { fragments } = await table.commit([writeOf(1, added('b', 'bool'))]);
    expect(fragments.map(({ version, deletes }) => [version, deletes])).toEqual([
      [2, false],
      [3, true],
      [4, false],
    ]);
  });
});

describe('a version', () => {
  it('is the last one at or before a time', async () => {
    const table = new TableStore(await newTable(), 't');
    const { time: created } = await table.latest();
    const { time } = await table.commit([writeOf(1)]);
    expect(await table.asof(time - 1)).toMatchObject({ version: 1 });
    expect(await table.asof(time)).toMatchObject({ version: 2 });
    expect(await table.asof(Math.max(time, wallMicros()))).toMatchObject({ version: 2 });
    expect(await codeOf(table.asof(Number.MAX_SAFE_INTEGER))).toBe('version_not_found');
    expect(await codeOf(table.asof(created - 1))).toBe('version_not_found');
    expect(await codeOf(table.at(3))).toBe('version_not_found');
    expect(await codeOf(new TableStore(memoryStore(), 'none').latest())).toBe('unknown_table');
  });

  it('is found, old or new, by who has read for long and holds a bounded number of commits', async () => {
    const store = await newTable();
    const [writer, reader] = [new TableStore(store, 't'), new TableStore(store, 't')];
    const times = [(await reader.latest()).time];
    let most = 0;
    for (let number = 0; number < 3 * commitsHeld; number++) {
      times.push((await writer.commit([writeOf(number)])).time);
      // By the newest, and as a scan that names its version reads.
      const read = number % 5 === 0 ? reader.at(number + 2) : reader.latest();
      expect((await read).version).toBe(number + 2);
      most = Math.max(most, (await reader.log.tail()).entries.length);
    }
    expect(most).toBeLessThan(2 * commitsHeld);
    expect(most).toBeGreaterThan(commitsHeld);
    for (const version of [1, 2, commitsHeld, commitsHeld + 1, 2 * commitsHeld, times.length]) {
      expect(await reader.at(version)).toMatchObject({ version, time: times[version - 1] });
      expect((await reader.asof(times[version - 1]!)).version).toBe(version);
      expect((await reader.at(version)).fragments).toHaveLength(version - 1);
    }
    expect((await reader.commit([writeOf(5000)])).version).toBe(times.length + 1);
    expect((await writer.latest()).version).toBe(times.length + 1);
  });

  it('is made once: a root has one table', async () => {
    const store = await newTable();
    expect(await TableStore.create(store, { kind: 'create', tableId: 'u', keys })).toBe(false);
    expect(await new TableStore(store, 't').latest()).toMatchObject({ tableId: 't', version: 1 });
  });
});
