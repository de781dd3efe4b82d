import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { Dictionary, Field, Int32, List, type RecordBatch, Struct, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Table } from '../../src/client/table.js';
import { type Expr, type ExprLike, Spiral, se } from '../../src/index.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const module = new URL('./udfs/samples.ts', import.meta.url);
const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const spiral = spiralAt(join(folder.path, 'warehouse'), { 'limits.partition_max_bytes': 4000 });
afterAll(() => spiral.close());
let table: Table;
const rows = Array.from({ length: 300 }, (_, id) => ({
  id,
  n: id % 10 === 9 ? null : id,
  text: id % 4 === 0 ? null : `t${id}`,
}));
beforeAll(async () => {
  table = await newTable(spiral, { id: 'int32' });
  const columns = {
    id: Int32Array.from(rows, ({ id }) => id),
    n: vectorFromArray(
      rows.map(({ n }) => n),
      new Int32(),
    ),
    text: rows.map(({ text }) => text),
  };
  await table.write(columns, { batchRows: 50 });
});

const udf = (name: string, returns: string, ...args: ExprLike[]): Expr =>
  se.udf({ module, export: name, returns })(...args);
const calls = async (file: string): Promise<number[]> => (await readFile(file, 'utf8')).trim().split('\n').map(Number);

/** The rows of `projection` where its udfs run in threads. */
async function inThreads(projection: ExprLike, where?: Expr): Promise<Record<string, unknown>[]> {
  return (await spiral.scan(projection, { udfWorkers: 2, ...(where && { where }) })).toRows();
}

describe.each([0, 2])('a udf (udfWorkers: %i)', (udfWorkers) => {
  it('computes columns and predicates of a table, nulls and nested values too', async () => {
    const n = table.col('n');
    const shout = se.udf({ module, returns: 'utf8' })(table.col('text'));
    const projection = {
      id: table.col('id'),
      more: udf('twice', 'int32', n).add(1),
      text: shout,
      point: udf('points', 'struct<{x: int32, tags: list<utf8>}>', n),
      seven: udf('sevens', 'int32'),
      nested: udf('twice', 'int32', udf('twice', 'int32', n)),
    };
    const scan = await spiral.scan(projection, { where: udf('twice', 'int32', n).gte(540), udfWorkers });
    const again = await spiral.resumeScan(scan.stateJson(), { udfWorkers });
    for (const one of [scan, again]) {
      expect(await one.toRows()).toEqual(
        rows.slice(270).flatMap(({ id, n, text }) =>
          n === null
            ? []
            : [
                {
                  id,
                  more: 2 * n + 1,
                  text: text && `${text}!`,
                  point: { x: n, tags: [`t${n}`, null] },
                  seven: 7,
                  nested: 4 * n,
                },
              ],
        ),
      );
    }
    expect(await (await spiral.scan(projection, { where: n.gt(5000), udfWorkers })).toRows()).toEqual([]);
  });

  it('sees of a filter only the rows that the cheaper parts leave, and each batch once', async () => {
    const file = join(folder.path, `seen${udfWorkers}`);
    const own = udf('seen', 'bool', file, table.col('n'));
    const where = se.and(own, table.col('id').modulo(50).lt(4), own);
    const scan = await spiral.scan({ id: table.col('id') }, { where, udfWorkers });
    expect(await scan.toRows()).toEqual(
      rows.filter(({ id, n }) => id % 50 < 4 && n !== null && n % 3 === 0).map(({ id }) => ({ id })),
    );
    const counts = await calls(file);
    expect(counts.reduce((sum, count) => sum + count)).toBe(24);
  });

  it('computes over files, for takes by key and beside auxiliary columns', async () => {
    const path = join(folder.path, 'rows.jsonl');
    await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'));
    const files = await spiral.files(path, { schema: { id: 'int32', n: 'int32', text: 'utf8' } });
    const scan = await spiral.scan(
      { id: files.col('id'), more: udf('twice', 'int32', files.col('n')) },
      { where: udf('twice', 'int32', files.col('n')).lt(10), udfWorkers },
    );
    expect(await scan.toRows()).toEqual([0, 1, 2, 3, 4].map((id) => ({ id, more: 2 * id })));
    const n = udf('twice', 'int32', table.col('n').add(se.aux('plus', 'int32')));
    const take = await spiral.scan({ id: table.col('id'), n }, { where: n.gt(10), udfWorkers });
    const keyTable = { id: Int32Array.of(7, 2, 9, 7, 5000), plus: Int32Array.of(1, 1, 1, 100, 0) };
    expect(await take.toRows({ keyTable })).toEqual([
      { id: 7, n: 16 },
      { id: 7, n: 214 },
    ]);
  });

  it('that goes wrong ends the scan, naming the expression', async () => {
    const n = table.col('n');
    const wrong: [Expr, string, string][] = [
      [udf('tooFew', 'int32', n), 'invalid_transform', 'values, one for each row of the batch, got 49'],
      [udf('scalar', 'int32', n), 'invalid_transform', 'got 5'],
      [udf('words', 'int32', n), 'type_mismatch', 'row 3'],
      [udf('wide', 'int32', n), 'type_mismatch', 'float64'],
      [udf('narrow', 'int64', n), 'type_mismatch', 'int32'],
      [udf('big', 'int32', n), 'value_out_of_range', 'row 0'],
      [udf('throws', 'int32', n), 'transform_failed', 'no such luck'],
      [udf('thros', 'int32', n), 'invalid_transform', "'throws'"],
      [udf('constant', 'int32', n), 'invalid_transform', 'a function'],
      [udf('functions', 'int32', n), 'type_mismatch', 'row 0'],
      [se.udf({ module: 'file:///nowhere.js', returns: 'int32' })(n), 'invalid_transform', 'nowhere.js'],
    ];
    for (const [expression, code, text] of wrong) {
      const filtered = spiral.scan(table, { where: expression.gt(0), udfWorkers });
      for (const scan of [spiral.scan({ x: expression }, { udfWorkers }), filtered]) {
        const error = await refusal(async () => (await scan).toRows());
        expect(error, String(expression)).toMatchObject({ code });
        expect(error.message).toContain(text);
      }
    }
    expect(() => se.udf({ module, export: '', returns: 'int32' })).toThrow('to be a name');
  });

  it('that waits ends with the signal', async () => {
    const controller = new AbortController();
    const file = join(folder.path, `waits${udfWorkers}`);
    const n = table.col('n');
    const scan = await spiral.scan({ x: udf('waits', 'int32', file, n) }, { udfWorkers });
    const work = refusal(scan.toRows({ signal: controller.signal }));
    while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10));
    controller.abort();
    expect(await work).toMatchObject({ code: 'cancelled' });
    const after = await spiral.scan({ x: udf('twice', 'int32', n) }, { udfWorkers });
    expect(await after.toRows()).toHaveLength(300);
  });

  it('gives a loader the same wherever it reads, and from every state', async () => {
    const n = udf('twice', 'int32', table.col('n'));
    const client = new Spiral({ config: spiral.config });
    const scan = await client.scan({ id: table.col('id'), n }, { where: n.modulo(3).eq(0), udfWorkers });
    const options = { batchSize: 16, seed: 3, shuffleBufferSize: 64 } as const;
    const idsOf = (batch: RecordBatch): string => `${batch.getChild('id')} ${batch.getChild('n')}`;
    const read = async (feeder: boolean): Promise<string[]> => {
      await using loader = scan.toDataLoader({ ...options, feeder });
      const found: string[] = [];
      for await (const batch of loader) found.push(idsOf(batch));
      return found;
    };
    const whole = await read(true);
    expect(whole).toHaveLength(Math.ceil(rows.filter(({ n }) => n !== null && n % 3 === 0).length / 16));
    expect(await read(false)).toEqual(whole);
    for (const steps of [3]) {
      await using loader = scan.toDataLoader(options);
      let step = 0;
      for await (const _ of loader) if (++step === steps) break;
      const state = JSON.parse(JSON.stringify(loader.stateDict()));
      await using resumed = scan.resumeDataLoader(state);
      const rest: string[] = [];
      for await (const batch of resumed) rest.push(idsOf(batch));
      expect(rest).toEqual(whole.slice(steps));
    }
    await client.close();
  });
});

describe('a udf in threads', () => {
  const n = (): Expr => table.col('n');

  it('runs in as many as were asked for, batches at once, and gives rows in their order', async () => {
    const found = await inThreads({
      id: table.col('id'),
      thread: udf('threads', 'int32'),
      late: udf('late', 'int32', n()),
    });
    expect(found.map(({ id, late }) => ({ id, late }))).toEqual(
      rows.map(({ id, n }) => ({ id, late: n === null ? null : 2 * n })),
    );
    const threads = new Set(found.map(({ thread }) => thread));
    expect(threads.size).toBe(2);
    expect(threads).not.toContain(threadId);
  });

  it('leaves what it was given and what it gives as they are: columns that others read too, vectors that it keeps', async () => {
    const seen = {
      n: n(),
      text: table.col('text'),
      twice: udf('twice', 'int32', n()),
      keeps: udf('keeps', 'int32', n()),
    };
    const expected = rows.map(({ n, text }) => ({ n, text, twice: n === null ? null : 2 * n, keeps: 4 }));
    expect(await inThreads(seen)).toEqual(expected);
  });

  it('is given the types that it is given elsewhere', async () => {
    const other = await newTable(spiral, { id: 'int32' });
    const struct = [{ a: 1, tags: ['x'] }, null, { a: null, tags: [] }];
    await other.write(
      {
        id: Int32Array.of(1, 2, 3),
        word: vectorFromArray(['a', null, 'b'], new Dictionary(new Utf8(), new Int32())),
        struct: vectorFromArray(
          struct,
          new Struct([
            new Field('a', new Int32(), true),
            new Field('tags', new List(new Field('item', new Utf8(), true)), true),
          ]),
        ),
        flag: [true, null, false],
      },
      { pushDownNulls: true },
    );
    const args = ['word', 'struct', 'flag', 'id'].map((name) => other.col(name));
    const projection = { types: udf('types', 'utf8', ...args, 5n, 'x') };
    const here = await (await spiral.scan(projection)).toRows();
    expect(here[0]?.['types']).toContain('Dictionary');
    expect(await inThreads(projection)).toEqual(here);
  });

  it('that ends its thread is tried once more; the second time the scan ends', async () => {
    const marks = join(folder.path, 'died');
    const expected = rows.filter(({ id }) => id < 150).map(({ n }) => ({ x: n === null ? null : 2 * n }));
    const under = table.col('id').lt(150);
    expect(await inThreads({ x: udf('dies', 'int32', marks, n()) }, under)).toEqual(expected);
    const error = await refusal(inThreads({ x: udf('dies', 'int32', se.scalar(null, 'utf8'), n()) }, under));
    expect(error).toMatchObject({ code: 'worker_died', details: { rows: 50 } });
    expect(error.message).toContain('dies');
    expect(error.message).toContain('udfWorkers');
  });

  it('ends with its client', async () => {
    const client = spiralAt(join(folder.path, 'warehouse'));
    const scan = await client.scan({ x: udf('waits', 'int32', join(folder.path, 'left'), n()) }, { udfWorkers: 1 });
    const work = refusal(scan.toRows());
    const idle = await client.scan({ id: table.col('id'), x: udf('threads', 'int32') }, { udfWorkers: 2 });
    expect(await idle.toRows()).toHaveLength(300);
    await client.close();
    expect(await work).toMatchObject({ code: 'closed' });
    expect(await refusal(idle.toRows())).toMatchObject({ code: 'closed' });
  });

  it('is no part of a state, and refused in numbers that are none', async () => {
    const projection = { x: udf('twice', 'int32', n()) };
    const [plain, threaded] = [await spiral.scan(projection), await spiral.scan(projection, { udfWorkers: 2 })];
    expect(threaded.stateJson()).toBe(plain.stateJson());
    expect(threaded.identity).toEqual(plain.identity);
    for (const udfWorkers of [-1, 1.5, 257, '2' as never]) {
      expect(await refusal(spiral.scan(projection, { udfWorkers }))).toMatchObject({ code: 'invalid_size' });
      expect(await refusal(spiral.resumeScan(plain.stateJson(), { udfWorkers }))).toMatchObject({
        code: 'invalid_size',
      });
      expect(await refusal(spiral.computeShards(9, projection, { udfWorkers }))).toMatchObject({
        code: 'invalid_size',
      });
    }
    const where = udf('twice', 'int32', n()).lt(100);
    const shards = await spiral.computeShards(20, table, { where, udfWorkers: 2 });
    expect(shards.map(({ cardinality }) => cardinality)).toEqual([20, 20, 5]);
  });
});
