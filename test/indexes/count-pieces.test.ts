import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/client/settings.js';
import { Warehouse } from '../../src/client/warehouse.js';
import { uniqueId } from '../../src/core/random.js';
import { countPieces } from '../../src/indexes/count-pieces.js';
import { keyShards } from '../../src/indexes/key-pieces.js';
import { openScan } from '../../src/scan/open-scan.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';

const rows = (from: number, to: number): Record<string, unknown>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    id: BigInt(from + at),
    text: `row ${from + at} ${'x'.repeat(200)}`,
  }));

describe('counting an index again', () => {
  it('reads nothing of the parts that are as they were, and finds what a first count would', async () => {
    const uri = `memory://${uniqueId('count-')}`;
    await using spiral = spiralAt(uri);
    const table = await newTable(spiral);
    for (const from of [0, 1000, 2000, 3000]) await table.write(rows(from, from + 1000));
    const where = table.col('text').str.contains('row');
    const opened = async (): ReturnType<typeof openScan> => {
      const warehouse = new Warehouse(resolveSettings({ 'warehouse.uri': uri }, {}, {}));
      const { version } = await (await warehouse.openTable(table.id)).latest();
      return openScan(scanRecipe([{ table: table.id, version }], table.node, where.node), warehouse);
    };
    const first = await opened();
    const { pieces, counted } = await countPieces(first, 70, undefined, undefined);
    expect(counted).toBe(4);
    const whole = first.metrics().bytes;
    expect(whole).toBeGreaterThan(4000 * 200);

    const same = await opened();
    expect(await countPieces(same, 70, pieces, undefined)).toEqual({ pieces, counted: 0 });
    expect(same.metrics().bytes).toBe(0);

    await table.write(rows(1500, 1600));
    await table.write(rows(5000, 5100));
    const changed = await opened();
    const again = await countPieces(changed, 70, pieces, undefined);
    expect(again.counted).toBe(2);
    expect(changed.metrics().bytes).toBeLessThan(whole / 2);
    const fresh = await countPieces(await opened(), 70, undefined, undefined);
    expect(again.pieces).toEqual(fresh.pieces);
    const shards = keyShards(again.pieces, { table: table.id, version: 1, filter: null });
    expect(shards.reduce((sum, { cardinality }) => sum + cardinality!, 0)).toBe(4100);
  });

  it('counts all again where the filter reads another column of the same name, or a drop took one away', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([
      { id: 1n, a: 1 },
      { id: 2n, a: 2 },
    ]);
    const index = await spiral.project('p').createKeySpaceIndex('i', 10, table, { where: table.col('a').isNotNull() });
    await index.sync();
    expect((await index.shards()).map(({ cardinality }) => cardinality)).toEqual([2]);
    await table.dropColumns(['a']);
    expect(await refusal(index.sync())).toMatchObject({ code: 'unknown_column' });
    await table.write([{ id: 9n, a: 1 }]);
    await index.sync();
    const shards = await index.shards();
    expect(shards.map(({ cardinality }) => cardinality)).toEqual([1]);
  });
});
