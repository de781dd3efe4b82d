import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import { fileStore } from '../../src/storage/file-store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { TableStore } from '../../src/table/table-store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { spiralAt } from './spiral-at.js';

async function madeTable(uri: string): Promise<string> {
  await using spiral = spiralAt(uri);
  const project = await spiral.createProject('p');
  return (await project.createTable('t', { keySchema: { id: 'int64' } })).id;
}

/** That `writers` times `turns` rows are there, each once, in as many versions, times rising. */
async function checkAll(folder: string, tableId: string, writers: number, turns: number): Promise<void> {
  await using spiral = spiralAt(folder);
  const rows = await (await spiral.scan(await spiral.table(tableId))).toRows();
  const expected = Array.from({ length: writers * turns }, (_, id) => {
    const [writer, turn] = [Math.floor(id / turns), id % turns];
    const own = Array.from({ length: writers }, (_, other) => [`by_${other}`, other === writer ? turn : null]);
    return { id: BigInt(id), shared: `${writer} ${turn}`, ...Object.fromEntries(own) };
  });
  expect(rows).toEqual(expected);
  const table = new TableStore(subStore(fileStore(folder), `tables/${tableId}`), 't');
  const { version, fragments } = await table.latest();
  expect(version).toBe(1 + writers * turns);
  expect(fragments.map((fragment) => fragment.version)).toEqual(fragments.map((_, at) => at + 2));
  let time = 0;
  for (let at = 1; at <= version; at++) {
    const next = (await table.at(at)).time;
    expect(next).toBeGreaterThan(time);
    time = next;
  }
}

describe('writers of one table (law 17)', () => {
  it('in one process, eight clients, all come in', async () => {
    await using folder = await temporaryFolder();
    const tableId = await madeTable(folder.path);
    const clients: Spiral[] = Array.from({ length: 8 }, () => spiralAt(folder.path));
    await Promise.all(
      clients.map(async (spiral, writer) => {
        const table = await spiral.table(tableId);
        for (let turn = 0; turn < 4; turn++) {
          await table.write([{ id: BigInt(writer * 4 + turn), [`by_${writer}`]: turn, shared: `${writer} ${turn}` }]);
        }
        await spiral.close();
      }),
    );
    await checkAll(folder.path, tableId, 8, 4);
  });

  it('in four processes all come in', async () => {
    await using folder = await temporaryFolder();
    const tableId = await madeTable(folder.path);
    const script = fileURLToPath(new URL('race-client.ts', import.meta.url));
    const writers = ['0', '1', '2', '3'].map((writer) =>
      fork(script, [folder.path, tableId, writer, '6'], { execArgv: ['--import', 'tsx'] }),
    );
    await Promise.all(writers.map((writer) => once(writer, 'message')));
    const done = writers.map(async (writer: ChildProcess) => (await once(writer, 'message'))[0]);
    for (const writer of writers) writer.send('go');
    expect(await Promise.all(done)).toEqual(['done', 'done', 'done', 'done']);
    await checkAll(folder.path, tableId, 4, 6);
  });

  it('who make one table at once make it once', async () => {
    await using folder = await temporaryFolder();
    await using first = spiralAt(folder.path);
    await first.createProject('p');
    const clients = Array.from({ length: 6 }, () => spiralAt(folder.path));
    const made = await Promise.all(
      clients.map((spiral) => spiral.project('p').createTable('t', { keySchema: { id: 'int64' }, existOk: true })),
    );
    expect(new Set(made.map((table) => table.id)).size).toBe(1);
    expect(await first.project('p').listTables()).toHaveLength(1);
    await Promise.all(clients.map((spiral) => spiral.close()));
  });

  it('who make one project at once get one each', async () => {
    await using folder = await temporaryFolder();
    const clients = Array.from({ length: 6 }, () => spiralAt(folder.path));
    const made = await Promise.all(clients.map((spiral) => spiral.createProject('p')));
    expect(new Set(made.map(({ id }) => id)).size).toBe(6);
    expect((await clients[0]!.listProjects()).map(({ id }) => id)).toEqual(made.map(({ id }) => id).sort());
    await Promise.all(clients.map((spiral) => spiral.close()));
  });
});
