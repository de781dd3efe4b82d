import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { deleteRows } from '../../src/table/deletion.js';
import { lawRuns } from '../laws.js';
import { refusal } from './spiral-at.js';
import { compactTo, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

const keySchema = { name: 'utf8', number: 'int32' };
const all = Array.from({ length: 200 }, (_, at) => ({ name: `name ${Math.floor(at / 9)}`, number: at, value: at }));

async function filled(): Promise<{ warehouse: UpkeepWarehouse; id: string }> {
  const warehouse = new UpkeepWarehouse(await withProject(memoryStore(), 'p'));
  const table = await warehouse.project('p').createTable('t', { keySchema });
  await table.write(all, { batchRows: 16 });
  return { warehouse, id: table.id };
}

const keyOf = ({ name, number }: { name: string; number: number }): { name: string; number: number } => ({
  name,
  number,
});

describe('a deletion of more keys than are held at once', () => {
  it('deletes just these, in whatever order and however often they come', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(all.length + 20), { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.boolean(),
        async (chosen, bytesMax, compacted) => {
          const { warehouse, id } = await filled();
          const opened = await warehouse.openTable(id);
          const keys = chosen.map((part) => part.map((at) => keyOf(all[at] ?? { name: 'absent', number: at })));
          const version = await opened.latest();
          const operation = await deleteRows(opened.store, version, 't', keys.values(), undefined, bytesMax);
          await opened.commit([operation!]);
          if (compacted) await compactTo(opened, 2 ** 27);
          const gone = new Set(chosen.flat());
          const table = await warehouse.project('p').table('t');
          const kept = all.filter((_, at) => !gone.has(at));
          const rows = await warehouse.rows(table);
          expect(rows).toHaveLength(kept.length);
          expect(rows).toEqual(
            kept.toSorted((a, b) => (a.name === b.name ? a.number - b.number : a.name < b.name ? -1 : 1)),
          );
        },
      ),
      { numRuns: lawRuns(25, 1000) },
    ));

  it('leaves no file where a later key is refused', async () => {
    const { warehouse, id } = await filled();
    const opened = await warehouse.openTable(id);
    const before = await (await warehouse.project('p').table('t')).inspect();
    const keys = [
      columnsToBatch({ name: ['a', 'b', 'c'], number: Int32Array.of(1, 2, 3) }),
      [{ name: null, number: 4 }],
    ];
    const version = await opened.latest();
    const error = await refusal(deleteRows(opened.store, version, 't', keys as never, undefined, 50));
    expect(error.code).toBe('invalid_key');
    expect((await (await warehouse.project('p').table('t')).inspect()).dataFiles).toEqual(before.dataFiles);
  });
});
