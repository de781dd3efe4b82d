import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/storage/memory-store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';
import { WarehouseOver, withProject } from './warehouse-over.js';

describe('a table that is moved or renamed', () => {
  it('keeps its id and its rows, and readers by id go on', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n, text: 'a' }]);
    const scan = await spiral.scan(table);
    const project = spiral.project('p');
    await project.moveTable('t', 'archive');
    await project.renameTable('archive.t', 'old');
    const found = await project.table('archive.old');
    expect([found.id, found.identifier, found.dataset, found.name]).toEqual([
      table.id,
      'archive.old',
      'archive',
      'old',
    ]);
    expect((await project.listTables()).map(({ identifier }) => identifier)).toEqual(['archive.old']);
    expect((await refusal(project.table('t'))).code).toBe('unknown_table');
    expect((await spiral.table(table.id)).identifier).toBe('archive.old');
    await table.write([{ id: 2n, text: 'b' }]);
    expect(await scan.toRows()).toEqual([{ id: 1n, text: 'a' }]);
    expect(await (await spiral.resumeScan(scan.stateJson())).toRows()).toHaveLength(1);
    expect(await (await spiral.scan(found)).toRows()).toHaveLength(2);
    // The name is free again.
    const other = await project.createTable('t', { keySchema: { id: 'int64' } });
    expect(other.id).not.toBe(table.id);
    expect((await project.listTables()).map(({ identifier }) => identifier)).toEqual(['archive.old', 'default.t']);
  });

  it('takes no name of another table, and none that is no name', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const project = spiral.project('p');
    await project.createTable('other', { keySchema: { id: 'int64' } });
    await project.createTable('far.t', { keySchema: { id: 'int64' } });
    for (const work of [project.renameTable('t', 'other'), project.moveTable('t', 'far')]) {
      expect((await refusal(work)).code).toBe('already_exists');
    }
    for (const name of ['', 'a.b', 'a b', '../x', 7 as never]) {
      expect((await refusal(project.renameTable('t', name))).code).toBe('invalid_identifier');
      expect((await refusal(project.moveTable('t', name))).code).toBe('invalid_identifier');
    }
    const missing = await refusal(project.renameTable('tt', 'x'));
    expect([missing.code, missing.details['near']]).toEqual(['unknown_table', ['default.t']]);
    await project.renameTable('t', 't');
    await project.moveTable('default.t', 'default');
    expect((await project.table('t')).id).toBe(table.id);
  });

  it('is so once, whatever the store answers, and by one of those who try at once', async () => {
    const base = await withProject(memoryStore(), 'p');
    const { id } = await new WarehouseOver(base).project('p').createTable('t', { keySchema: { id: 'int64' } });
    const only = ({ op }: { op: string }): boolean => op === 'putIfAbsent';
    const renamers = [1, 2, 3].map(async (seed) => {
      const store = faultStore(base, { seed, loseAnswerShare: 0.4, failShare: 0.2, only });
      await new WarehouseOver(store).project('p').renameTable('t', `t${seed}`);
    });
    const results = await Promise.allSettled(renamers);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'unknown_table' });
    }
    const winner = results.findIndex(({ status }) => status === 'fulfilled') + 1;
    const tables = await new WarehouseOver(base).project('p').listTables();
    expect(tables.map((table) => [table.id, table.identifier])).toEqual([[id, `default.t${winner}`]]);
  });
});
