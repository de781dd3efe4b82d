import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { batchRows } from '../../src/arrow/rows.js';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import type { FragmentRef, WriteOperation } from '../../src/table/operation.js';
import { TableStore } from '../../src/table/table-store.js';
import type { TableVersion } from '../../src/table/version.js';
import { writeRows } from '../../src/table/write.js';
import type { WriteLimits } from '../../src/table/write-limits.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';

/** Small enough that a few hundred rows are many blocks, runs and passes. */
const small: WriteLimits = { block: 2000, runBatch: 200, runs: 3, chunk: 600, batch: 600, fragment: 3000 };

type Row = Record<string, unknown>;

async function newTable(
  keys: Record<string, string> = { id: 'int64' },
): Promise<{ store: ObjectStore; table: TableStore }> {
  const store = memoryStore();
  const columns = Object.entries(keys).map(([name, type], id) => ({ path: [name], type, id }));
  await TableStore.create(store, { kind: 'create', tableId: 't', keys: columns });
  return { store, table: new TableStore(store, 't') };
}

async function write(
  { store, table }: { store: ObjectStore; table: TableStore },
  data: AsyncIterable<object> | Iterable<object>,
  limits = small,
): Promise<WriteOperation> {
  return (await writeRows(store, await table.latest(), 't', data, {}, limits))!;
}

/** The rows of a fragment as its files hold them, side by side. */
async function rowsIn(store: ObjectStore, fragment: FragmentRef): Promise<Row[]> {
  const rows: Row[] = Array.from({ length: fragment.rows }, () => ({}));
  for (const { path, bytes } of fragment.files) {
    const file = await ArrowFile.open(store, path, bytes);
    expect(file.rows).toBe(fragment.rows);
    let row = 0;
    for (const [number, batch] of file.index.batches.entries()) {
      const isLast = number === file.index.batches.length - 1;
      expect(isLast ? batch.rows <= fragment.batchRows : batch.rows === fragment.batchRows).toBe(true);
      const columns = file.schema.fields.map((_, at) => at);
      const data = await readRows(file, number, 0, batch.rows, { columns, verify: 'always' });
      for (const [column, field] of file.schema.fields.entries()) {
        for (const [at, { value }] of batchRows(columnsToBatch({ value: data[column]! })).entries()) {
          rows[row + at]![field.name] = value;
        }
      }
      row += batch.rows;
    }
  }
  return rows;
}

async function filesOf(store: ObjectStore): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of store.list('data/')) paths.push(path);
  return paths;
}

/** Yields `rows` in pieces as the lengths tell, as single rows where they are 0. */
async function* pieces(rows: readonly Row[], lengths: readonly number[]): AsyncGenerator<object> {
  let at = 0;
  for (let turn = 0; at < rows.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    if (length === 0) yield rows[at++]!;
    else yield rows.slice(at, (at += length));
  }
}

const compare = (a: Row, b: Row): number => ((a['id'] as bigint) < (b['id'] as bigint) ? -1 : 1);

describe('a write larger than its memory', () => {
  it('holds every row once, in key order, in fragments that do not cross, however rows come', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: -5000, max: 5000 }), { minLength: 1, maxLength: 500 }),
        fc.constantFrom('ascending', 'nearly', 'descending', 'random'),
        fc.array(fc.nat(60), { minLength: 1, maxLength: 8 }),
        fc.nat(3),
        async (ids, order, lengths, wide) => {
          const world = await newTable();
          const row = (id: number): Row => ({ id: BigInt(id), text: 'x'.repeat((id & 7) * wide * 20), s: { n: id } });
          if (order !== 'random') ids.sort((a, b) => a - b);
          if (order === 'descending') ids.reverse();
          if (order === 'nearly') ids.push(ids.shift()!);
          const { fragments, columns } = await write(world, pieces(ids.map(row), lengths));
          const found: Row[] = [];
          for (const fragment of fragments) found.push(...(await rowsIn(world.store, fragment)));
          const expected = ids.map(row).sort(compare);
          expect(found).toEqual(expected.map(({ id, text, s }) => ({ id, text, 's.n': (s as Row)['n'] })));
          expect(columns.map(({ path }) => path.join('.'))).toEqual(['id', 'text', 's.n']);
          // Runs and what they were numbered by are gone, and no file is left that nothing names.
          const named = fragments.flatMap(({ files }) => files.map(({ path }) => path));
          expect((await filesOf(world.store)).sort()).toEqual(named.sort());
        },
      ),
      { numRuns: lawRuns(60, 1500) },
    ));

  it('keeps rows with other columns apart, so that they leave alone what they do not have', async () => {
    const world = await newTable();
    await world.table.commit([
      await write(world, [
        { id: -1n, a: 0, b: 'x' },
        { id: 10_000n, a: 0, b: 'x' },
      ]),
    ]);
    const rows = Array.from({ length: 600 }, (_, at) => {
      const id = BigInt((at * 7919) % 600);
      return id % 3n === 0n ? { id, a: Number(id) } : { id, b: `${id}` };
    });
    const { fragments, columns } = await write(world, pieces(rows, [0]));
    const found: Row[] = [];
    for (const fragment of fragments) {
      const names = fragment.files.flatMap((file) => file.columns.map((at) => columns[at]!.path[0]));
      expect(names).toHaveLength(2);
      found.push(...(await rowsIn(world.store, fragment)));
    }
    expect(found.sort(compare)).toEqual(rows.sort(compare));
  });

  it('names both rows of a key that comes twice, wherever they are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 400 }),
        fc.boolean(),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(),
        async (count, isAscending, lengths, from, to) => {
          const world = await newTable();
          const rows: Row[] = Array.from({ length: count }, (_, at) => ({
            id: BigInt(isAscending ? at : (at * 7919) % 400),
            text: 'some text to fill the block',
          }));
          fc.pre(isAscending || count <= 400);
          const [a, b] = [from % count, to % count].sort((x, y) => x - y) as [number, number];
          fc.pre(a !== b);
          rows[b] = { ...rows[b], id: rows[a]!['id'] };
          const error = await failure(write(world, pieces(rows, lengths)));
          expect(error).toMatchObject({ code: 'duplicate_key', details: { rows: [a, b] } });
          expect(await filesOf(world.store)).toEqual([]);
        },
      ),
      { numRuns: lawRuns(60, 1500) },
    ));

  it('names the row of a null key', async () => {
    const world = await newTable();
    const rows: Row[] = Array.from({ length: 300 }, (_, at) => ({ id: BigInt(300 - at), text: 'some text' }));
    rows[211] = { id: null, text: 'x' };
    const error = await failure(write(world, pieces(rows, [10])));
    expect(error).toMatchObject({ code: 'invalid_key', details: { column: 'id', row: 211 } });
    expect(await filesOf(world.store)).toEqual([]);
  });

  it('lies row by row beside the runs that are there, and only where it has all their keys', async () => {
    const world = await newTable();
    const of = (from: number, to: number, more: Row): Row[] =>
      Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));
    const first = await write(world, of(0, 700, { a: 1 }));
    await world.table.commit([first]);
    expect(first.fragments.length).toBeGreaterThan(2);
    for (const lengths of [[700], [37], [0]]) {
      const rows = of(-50, 900, { b: 'some more text' });
      const again = await write(world, pieces(lengths[0] === 37 ? rows.reverse() : rows, lengths));
      const digests = again.fragments.map(({ keyDigest }) => Buffer.from(keyDigest).toString('hex'));
      for (const { keyDigest } of first.fragments) expect(digests).toContain(Buffer.from(keyDigest).toString('hex'));
      await world.table.commit([again]);
    }
    const sparse = await write(
      world,
      of(0, 700, { c: true }).filter((_, at) => at % 2 === 0),
    );
    expect(sparse.fragments.length).toBeLessThanOrEqual(first.fragments.length);
  });

  it('cuts fragments and batches anew where rows become much larger', async () => {
    const world = await newTable();
    const rows = Array.from({ length: 400 }, (_, at) => ({
      id: BigInt(at),
      bytes: new Uint8Array(at < 200 ? 2 : 500),
    }));
    const { fragments } = await write(world, pieces(rows, [20]));
    const found: Row[] = [];
    for (const fragment of fragments) found.push(...(await rowsIn(world.store, fragment)));
    expect(found).toEqual(rows);
    expect(new Set(fragments.map((fragment) => fragment.batchRows)).size).toBeGreaterThan(1);
  });
});

describe('a write that fails', () => {
  const rows = Array.from({ length: 300 }, (_, at) => ({ id: BigInt((at * 7919) % 300), text: 'some text' }));

  it('at any operation of the store rejects, and deletes what it can', async () => {
    const world = await newTable();
    const counted = faultStore(world.store);
    const version: TableVersion = await world.table.latest();
    await writeRows(counted, version, 't', pieces(rows, [10]), {}, small);
    expect(counted.operations).toBeGreaterThan(30);
    for (let number = 1; number <= counted.operations; number++) {
      const { store } = await newTable();
      let asked = 0;
      const fails = faultStore(store, { failShare: 1, only: () => ++asked === number });
      const error = await writeRows(fails, version, 't', pieces(rows, [10]), {}, small).catch(
        (reason: SpiralError) => reason,
      );
      // A delete that fails leaves an orphan, and the write whole.
      if (fails.log[number - 1]!.op === 'delete') expect(error).toMatchObject({ kind: 'write' });
      else {
        expect(error).toMatchObject({ code: 'unavailable' });
        expect(await filesOf(store)).toEqual([]);
      }
    }
  });

  it('in its input closes it, and leaves nothing', async () => {
    const world = await newTable();
    let closed = 0;
    async function* broken(fails: boolean): AsyncGenerator<object> {
      try {
        for (let at = 0; ; at++) {
          if (fails && at === 250) throw new Error('the disk of the caller');
          yield { id: BigInt((at * 7919) % 100_000), text: 'some text' };
        }
      } finally {
        closed++;
      }
    }
    await expect(write(world, broken(true))).rejects.toThrow('the disk of the caller');
    const abort = new AbortController();
    async function* cancelling(): AsyncGenerator<object> {
      let at = 0;
      for await (const row of broken(false)) {
        if (++at === 20_000) abort.abort(new Error('enough'));
        yield row;
      }
    }
    const settings = { signal: abort.signal };
    const work = writeRows(world.store, await world.table.latest(), 't', cancelling(), settings, small);
    expect(await failure(work)).toMatchObject({ code: 'cancelled', cause: { message: 'enough' } });
    expect(closed).toBe(2);
    expect(await filesOf(world.store)).toEqual([]);
  });
});

describe('dictionaries', () => {
  it('of many blocks become one for each file', async () => {
    const world = await newTable();
    const schema = toSchema({ id: 'int64', kind: 'dictionary<int16, utf8>' }, 'the test');
    const batches: RecordBatch[] = Array.from({ length: 20 }, (_, at) => {
      const ids = Array.from({ length: 20 }, (_, row) => BigInt((at * 20 + row) * 7919) % 400n);
      return columnsToBatch({ id: ids, kind: ids.map((id) => (id % 5n === 0n ? null : `kind ${id % 30n}`)) }, schema);
    });
    const { fragments } = await write(world, batches);
    const found: Row[] = [];
    for (const fragment of fragments) found.push(...(await rowsIn(world.store, fragment)));
    const expected = batches.flatMap((batch) => batchRows(batch)).sort(compare);
    expect(found).toEqual(expected);
  });
});

async function failure(work: Promise<unknown>): Promise<SpiralError> {
  const error: unknown = await work.then(
    () => new Error('Expected a failure.'),
    (reason: unknown) => reason,
  );
  if (isSpiralError(error)) return error;
  throw error;
}
