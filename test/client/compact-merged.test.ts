import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { macrotask, wallMicros } from '../../src/core/runtime.js';
import { newTable, spiralAt } from './spiral-at.js';

type Row = Record<string, unknown>;

const rowsOf = async (spiral: Spiral, table: Table): Promise<Row[]> => (await spiral.scan(table)).toRows();
const every = (step: number, more: Row): Row[] =>
  Array.from({ length: Math.ceil(100 / step) }, (_, at) => ({ id: BigInt(at * step), ...more }));

/** Lets the clock of the store go on, so that what was written is older than now. */
async function past(): Promise<void> {
  const from = wallMicros();
  while (wallMicros() - from < 2000) await macrotask();
}

describe('compaction of writes that overlap', () => {
  it('makes one fragment of them, in which every cell is the newest, and which is not rewritten', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(every(2, { a: 2, b: 2 }), { batchRows: 7 });
    await table.write(every(3, { a: 3 }), { batchRows: 5 });
    await table.write(every(5, { b: null, c: 5 }));
    const rows = await rowsOf(spiral, table);
    expect(rows[6]).toEqual({ id: 8n, a: 2, b: 2, c: null });
    expect(rows[2]).toEqual({ id: 3n, a: 3, b: null, c: null });
    expect(await table.compact()).toMatchObject({ fragmentsBefore: 3, fragmentsAfter: 1 });
    expect(await rowsOf(spiral, table)).toEqual(rows);
    expect((await table.inspect()).rowsStored).toBe(rows.length);
    expect(await table.compact()).toEqual({ fragmentsBefore: 1, fragmentsAfter: 1, bytesWritten: 0 });
  });

  it('leaves deleted keys out, and all of a table whose keys are deleted; vacuum then leaves no file of them', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(every(1, { a: 1 }));
    await table.deleteKeys(every(2, {}));
    const { time } = (await table.history()).at(-1)!;
    expect(await table.compact()).toMatchObject({ fragmentsBefore: 2, fragmentsAfter: 1 });
    expect((await table.inspect()).fragments).toMatchObject([{ deletes: false, rows: 50 }]);
    await table.deleteKeys(every(1, {}));
    expect(await table.compact()).toMatchObject({ fragmentsBefore: 2, fragmentsAfter: 0, bytesWritten: 0 });
    expect(await rowsOf(spiral, table)).toEqual([]);
    expect(await (await spiral.scan(table, { asof: time })).toRows()).toHaveLength(50);
    await past();
    await table.vacuum({ retainMs: 0, graceMs: 0 });
    expect((await table.inspect()).dataFiles.count).toBe(0);
    await table.write(every(50, { a: 9 }));
    expect(await rowsOf(spiral, table)).toEqual(every(50, { a: 9 }));
  });

  it('of a deletion of keys that are nowhere takes it away', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.deleteKeys(every(10, {}));
    expect(await table.compact()).toMatchObject({ fragmentsBefore: 1, fragmentsAfter: 0 });
    expect((await table.inspect()).fragments).toEqual([]);
  });

  it('keeps files of other batches beside new ones in a form that later writes can be merged with', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(every(2, { a: 1, s: { x: 1 } }), { batchRows: 7 });
    await table.write(every(2, { s: { x: 2 } }), { batchRows: 4 });
    await table.write(every(2, { a: 3 }), { batchRows: 9 });
    const { bytesWritten } = await table.compact();
    expect(bytesWritten).toBe(0);
    await table.write(every(3, { a: 4 }), { batchRows: 5 });
    const rows = await rowsOf(spiral, table);
    expect(rows.slice(0, 4)).toEqual([
      { id: 0n, a: 4, s: { x: 2 } },
      { id: 2n, a: 3, s: { x: 2 } },
      { id: 3n, a: 4, s: { x: null } },
      { id: 4n, a: 3, s: { x: 2 } },
    ]);
    await table.compact();
    expect(await rowsOf(spiral, table)).toEqual(rows);
  });
});
