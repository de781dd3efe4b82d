import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import { randomStream } from '../../src/core/random.js';
import { sleep } from '../../src/core/runtime.js';
import { openStore } from '../../src/storage/open-store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { TableStore } from '../../src/table/table-store.js';
import { lawRuns } from '../laws.js';
import { onS3, s3Endpoint, s3Folder } from '../storage/s3-gateway.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';
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
  const table = new TableStore(subStore(openStore(folder), `tables/${tableId}`), 't');
  const { version, fragments } = await table.latest();
  expect(version).toBe(1 + writers * turns);
  expect(fragments.map((fragment) => fragment.version)).toEqual(fragments.map((_, at) => at + 2));
  await checkTimes(folder, tableId);
}

/** That times rise from version to version. */
async function checkTimes(folder: string, tableId: string): Promise<void> {
  const table = new TableStore(subStore(openStore(folder), `tables/${tableId}`), 't');
  const { version } = await table.latest();
  const times = (await table.log.read(1, version)).map(({ time }) => time);
  expect(times).toHaveLength(version);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
}

/** That there is nothing but what `docs/format.md` tells of: no lock, and nothing unfinished. */
async function checkFiles(folder: string): Promise<void> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1));
  const known =
    /^(projects\/p\/(project|catalog\/(\d{20}|hint))|tables\/\w+\/(table|log\/(\d{20}|hint)|checkpoints\/\d{20}|data\/\w+\.arrow))$/;
  expect(names.filter((name) => !known.test(name))).toEqual([]);
}

/** `count` processes that wait for a word before each commits `turns` times. */
async function started(count: number, folder: string, tableId: string, turns: number): Promise<ChildProcess[]> {
  const script = fileURLToPath(new URL('race-client.ts', import.meta.url));
  const writers = Array.from({ length: count }, (_, writer) =>
    fork(script, [folder, tableId, `${writer}`, `${turns}`], { execArgv: [...typescript] }),
  );
  await Promise.all(writers.map((writer) => once(writer, 'message')));
  return writers;
}

/** Has `count` processes write `turns` rows each, kills all but one of them, and looks for what was acknowledged. */
async function killedWriters(uri: string, count: number, turns: number): Promise<void> {
  const tableId = await madeTable(uri);
  const writers = await started(count, uri, tableId, turns);
  const acknowledged: bigint[] = [];
  const random = randomStream('kill', turns);
  const done = writers.map(async (writer, number) => {
    const most = number === 0 ? turns : random.below(turns);
    let made = 0;
    writer.on('message', (turn: unknown) => {
      if (typeof turn !== 'number') return;
      acknowledged.push(BigInt(number * turns + turn));
      // At any moment of the next commit.
      if (++made === most) void sleep(10 * random.unit()).then(() => number > 0 && writer.kill('SIGKILL'));
    });
    return (await once(writer, 'exit'))[1] as string | null;
  });
  for (const writer of writers) writer.send('go');
  const signals = await Promise.all(done);
  expect(signals).toContain('SIGKILL');
  expect(signals[0]).toBe(null);
  await using spiral = spiralAt(uri);
  const table = await spiral.table(tableId);
  await table.write([{ id: -1n, shared: 'after all of them' }]);
  const found = (await (await spiral.scan(table)).toRows()).map(({ id }) => id);
  expect(new Set(found).size).toBe(found.length);
  expect(found).toEqual(expect.arrayContaining(acknowledged));
  // Of each writer at most the one commit that was under way came in without a word.
  expect(found.length - 1 - acknowledged.length).toBeLessThanOrEqual(writers.length);
  await checkTimes(uri, tableId);
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

  it('in eight processes all come in', async () => {
    await using folder = await temporaryFolder();
    const tableId = await madeTable(folder.path);
    const turns = lawRuns(12, 1000);
    const writers = await started(8, folder.path, tableId, turns);
    const done = writers.map(async (writer) => (await once(writer, 'exit'))[0]);
    for (const writer of writers) writer.send('go');
    expect(await Promise.all(done)).toEqual(writers.map(() => 0));
    await checkAll(folder.path, tableId, 8, turns);
    await checkFiles(folder.path);
  }, 1_800_000);

  it('in processes that are killed lose no commit that was acknowledged', async () => {
    await using folder = await temporaryFolder();
    await killedWriters(folder.path, lawRuns(4, 8), lawRuns(12, 1000));
  }, 1_800_000);

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

describe.skipIf(s3Endpoint === undefined)(`writers of one table (law 17) ${onS3}`, () => {
  it('in one process, twenty clients, all come in', async () => {
    const uri = await s3Folder();
    const tableId = await madeTable(uri);
    await Promise.all(
      Array.from({ length: 20 }, async (_, writer) => {
        await using spiral = spiralAt(uri);
        const table = await spiral.table(tableId);
        await table.write([{ id: BigInt(writer), [`by_${writer}`]: 0, shared: `${writer} 0` }]);
      }),
    );
    await checkAll(uri, tableId, 20, 1);
  });

  it('in eight processes all come in', async () => {
    const uri = await s3Folder();
    const tableId = await madeTable(uri);
    const turns = lawRuns(3, 100);
    const writers = await started(8, uri, tableId, turns);
    const done = writers.map(async (writer) => (await once(writer, 'exit'))[0]);
    for (const writer of writers) writer.send('go');
    expect(await Promise.all(done)).toEqual(writers.map(() => 0));
    await checkAll(uri, tableId, 8, turns);
  }, 1_800_000);

  it.runIf(lawRuns(0, 1) === 1)(
    'in processes that are killed lose no commit that was acknowledged',
    async () => killedWriters(await s3Folder(), 8, 50),
    1_800_000,
  );
});
