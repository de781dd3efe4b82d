import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Table } from '../../src/client/table.js';
import { se } from '../../src/index.js';
import { webServer } from '../scan/web-server.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { spiralAt } from './spiral-at.js';

const server = await webServer({ '/page': (request, to) => void to.end(request.url!.slice(6)) });
afterAll(() => server[Symbol.asyncDispose]());
const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const spiral = spiralAt(join(folder.path, 'warehouse'), {
  'effects.private_addresses': true,
  'effects.file_folders': join(folder.path, 'texts'),
});
afterAll(() => spiral.close());
const module = new URL('./udfs/samples.ts', import.meta.url);
const twice = se.udf({ module, export: 'twice', returns: 'int32' });

/** Pages have the ids 0 … 119, notes the multiples of 3 from 60 to 177. */
let [pages, notes]: [Table?, Table?] = [];
const urlOf = (id: number): string => `${server.url}/page?${id % 10}`;
beforeAll(async () => {
  await mkdir(join(folder.path, 'texts'));
  for (let at = 0; at < 5; at++) await writeFile(join(folder.path, 'texts', `${at}`), `note ${at}`);
  const project = await spiral.createProject('p');
  pages = await project.createTable('pages', { keySchema: { id: 'int32' } });
  notes = await project.createTable('notes', { keySchema: { id: 'int32' } });
  const ids = Int32Array.from({ length: 120 }, (_, id) => id);
  await pages.write({ id: ids, n: ids, url: Array.from(ids, urlOf) }, { batchRows: 25 });
  const noted = Int32Array.from({ length: 40 }, (_, at) => 60 + 3 * at);
  const path = Array.from(noted, (id) => join(folder.path, 'texts', `${id % 7}`));
  await notes.write({ id: noted, m: noted.map((id) => id % 5), path }, { batchRows: 11 });
});

const isPage = (id: number): boolean => id < 120;
const isNote = (id: number): boolean => id >= 60 && id < 180 && id % 3 === 0;
const expected = Array.from({ length: 180 }, (_, id) => id)
  .filter((id) => isPage(id) || isNote(id))
  .map((id) => ({
    id,
    sum: isPage(id) && isNote(id) ? 2 * (id + (id % 5)) : null,
    page: isPage(id) ? `${id % 10}` : null,
    status: isNote(id) ? (id % 7 < 5 ? 200 : 404) : null,
    note: isNote(id) && id % 7 < 5 ? `note ${id % 7}` : null,
  }));

describe.each([0, 2])('effects over joined tables (udfWorkers: %i)', (udfWorkers) => {
  const projection = () => {
    const file = se.file.get(notes!.col('path'));
    return {
      id: pages!.col('id'),
      sum: twice(pages!.col('n').add(notes!.col('m'))),
      page: se.http.get(pages!.col('url')).getitem('bytes').cast('utf8'),
      status: file.getitem('meta.status_code'),
      note: file.getitem('bytes').cast('utf8'),
    };
  };

  it('see the rows of all tables, null where a table has no such key', async () => {
    const scan = await spiral.scan(projection(), { udfWorkers });
    expect(await scan.toRows()).toEqual(expected);
    expect(await (await spiral.resumeScan(scan.stateJson(), { udfWorkers })).toRows()).toEqual(expected);
  });

  it('drop rows by what they compute, and take rows by their keys', async () => {
    const where = twice(pages!.col('n').add(notes!.col('m')))
      .gt(200)
      .and(se.file.get(notes!.col('path')).getitem('meta.status_code').eq(200));
    const left = expected.filter(({ sum, status }) => sum !== null && sum > 200 && status === 200);
    expect(left.length).toBeGreaterThan(3);
    const scan = await spiral.scan(projection(), { where, udfWorkers });
    expect(await scan.toRows()).toEqual(left);
    const keyTable = { id: Int32Array.of(171, left[1]!.id, 5, left[0]!.id) };
    expect(await scan.toRows({ keyTable })).toEqual([left[1], left[0]]);
    const all = await spiral.scan(projection(), { udfWorkers });
    const taken = await all.toRows({ keyTable: { id: Int32Array.of(171, 1000, 5, 66) } });
    expect(taken).toEqual([171, 5, 66].map((id) => expected.find((row) => row.id === id)));
  });

  it('give a loader the same, with a feeder and without', async () => {
    const scan = await spiral.scan(projection(), { where: pages!.col('n').isNotNull(), udfWorkers });
    const read = async (feeder: boolean): Promise<string[]> => {
      const found: string[] = [];
      await using loader = scan.toDataLoader({ batchSize: 16, shuffleBufferSize: 40, seed: 5, feeder });
      for await (const batch of loader) found.push(...batch.toArray().map((row) => JSON.stringify(row)));
      return found;
    };
    const rows = await read(true);
    expect(await read(false)).toEqual(rows);
    const wanted = expected.filter(({ id }) => isPage(id)).map((row) => JSON.stringify(row));
    expect([...rows].sort()).toEqual(wanted.sort());
  });
});
