import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { ExprLike } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';

async function filled(spiral: Spiral): Promise<Table> {
  const table = await newTable(spiral);
  await table.write(
    Array.from({ length: 60 }, (_, id) => ({
      id: BigInt(id),
      n: id % 4 === 3 ? null : id % 4,
      text: `row ${id}`,
      tags: id % 2 === 0 ? ['even'] : null,
      s: { day: id },
    })),
    { batchRows: 16 },
  );
  return table;
}

const idsOf = (rows: readonly Record<string, unknown>[]): number[] => rows.map(({ id }) => Number(id));
const all = Array.from({ length: 60 }, (_, id) => id);

describe('where', () => {
  it.each<[string, (table: Table) => ExprLike, (id: number) => boolean]>([
    ['true', () => true, () => true],
    ['false', () => false, () => false],
    ['a comparison', (table) => table.col('s.day').gte(50), (id) => id >= 50],
    ['a function of text', (table) => table.col('text').str.endsWith('7'), (id) => id % 10 === 7],
    ['a function of lists', (table) => se.list.contains(table.col('tags'), 'even'), (id) => id % 2 === 0],
    [
      'arithmetic',
      (table) => table.col('s.day').add(table.col('n')).eq(31),
      (id) => id % 4 < 3 && id + (id % 4) === 31,
    ],
    ['nulls', (table) => table.col('n').isNull(), (id) => id % 4 === 3],
    ['what is null', (table) => table.col('n').gt(1).not(), (id) => id % 4 < 2],
    ['a constant that is null', () => se.cast(null, 'bool'), () => false],
  ])('takes %s', async (_, where, keep) => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(table.select('id'), { where: where(table) });
    expect(idsOf(await scan.toRows())).toEqual(all.filter(keep));
    const again = await spiral.resumeScan(scan.stateJson());
    expect(idsOf(await again.toRows())).toEqual(all.filter(keep));
    expect(again.identity).toEqual(scan.identity);
  });

  it('guards what a projection computes: only rows that survive are computed', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const projection = { id: table.col('id'), narrow: table.col('s.day').cast('int64').cast('int8').multiply(3) };
    expect(await refusal((await spiral.scan(projection)).toRows())).toMatchObject({ code: 'value_out_of_range' });
    const guarded = await spiral.scan(projection, { where: table.col('s.day').lt(40) });
    expect((await guarded.toRows()).map(({ narrow }) => Number(narrow))).toEqual(all.slice(0, 40).map((id) => id * 3));
  });

  it('goes with what is written: a filtered scan as rows, and written back', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const where = table.col('n').eq(1);
    const copy = await spiral.project('p').createTable('copy', { keySchema: { id: 'int64' } });
    await copy.write(await spiral.scan(table.select('id', 'text'), { where }));
    expect(idsOf(await (await spiral.scan(copy)).toRows())).toEqual(all.filter((id) => id % 4 === 1));
    await table.transaction(async (txn) => {
      await txn.writeback(await spiral.scan({ text: table.col('s.day').cast('utf8') }, { where }));
    });
    const texts = (await (await spiral.scan(table.select('text'))).toRows()).map(({ text }) => text);
    expect(texts).toEqual(all.map((id) => (id % 4 === 1 ? `${id}` : `row ${id}`)));
  });

  it('is of the version that is pinned, whatever is written later', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(table.select('id'), { where: table.col('n').eq(2) });
    await table.write([
      { id: 2n, n: 0 },
      { id: 1000n, n: 2 },
    ]);
    expect(idsOf(await scan.toRows())).toEqual(all.filter((id) => id % 4 === 2));
    const now = await spiral.scan(table.select('id'), { where: table.col('n').eq(2) });
    expect(idsOf(await now.toRows())).toEqual([...all.filter((id) => id % 4 === 2 && id > 2), 1000]);
  });

  it('is refused where it cannot be one, when the scan is made', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const other = await spiral.project('p').createTable('other', { keySchema: { id: 'int32' } });
    const refused: [ExprLike, string][] = [
      [table.col('n'), 'type_mismatch'],
      [5, 'type_mismatch'],
      [null, 'type_mismatch'],
      [table, 'type_mismatch'],
      [{ n: table.col('n') }, 'type_mismatch'],
      [table.col('text').gt(5), 'type_mismatch'],
      [table.col('txet').isNull(), 'unknown_column'],
      [other.col('id').gt(5), 'type_mismatch'],
      [se.text.find(table.col('text'), 'x').isNull(), 'unsupported'],
      [se.s3.get(table.col('text')).isNull(), 'permission_denied'],
      [se.file.get(table.col('text')).isNull(), 'permission_denied'],
      [se.udf({ module: './m.js', returns: 'bool' })(table.col('n')), 'invalid_transform'],
      [se.udf({ module: 'file:///m.js', returns: 'dictionary<int32, utf8>' })().isNull(), 'invalid_expression'],
    ];
    for (const [where, code] of refused) {
      expect(await refusal(spiral.scan(table, { where })), String(where)).toMatchObject({ code });
    }
    const near = await refusal(spiral.scan(table, { where: table.col('txet').isNull() }));
    expect(near.message).toContain("'text'");
  });

  it('stands in a recipe of format 2; those without it, of columns alone, stay readable for older releases', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const format = async (...args: Parameters<Spiral['scan']>): Promise<unknown> =>
      (JSON.parse((await spiral.scan(...args)).stateJson()) as { format: unknown }).format;
    expect(await format(table)).toBe(1);
    expect(await format({ a: table.col('n').add(1) })).toBe(2);
    expect(await format(table, { where: true })).toBe(2);
    const state = JSON.parse((await spiral.scan(table, { where: table.col('n').eq(1) })).stateJson()) as object;
    for (const where of [5, null, { kind: 'call', fn: 'nope', args: [] }, { kind: 'table' }]) {
      const broken = spiral.resumeScan(JSON.stringify({ ...state, where }));
      expect(await refusal(broken)).toMatchObject({ code: 'invalid_state' });
    }
  });
});
