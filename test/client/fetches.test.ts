import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Table } from '../../src/client/table.js';
import { Spiral, se } from '../../src/index.js';
import { webServer } from '../scan/web-server.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const server = await webServer({
  '/page': (request, to) => void setTimeout(() => to.writeHead(200, { etag: '"x"' }).end(request.url!.slice(6)), 5),
  '/hangs': () => {},
  '/large': (_, to) => void to.end(Buffer.alloc(60 * 2 ** 20)),
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => void server.asked.splice(0));
const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const at = (name: string): string => join(folder.path, name);
const spiral = spiralAt(at('warehouse'), {
  'effects.private_addresses': true,
  'effects.file_folders': [at('none'), at('texts')].join(delimiter),
});
afterAll(() => spiral.close());
let table: Table;
const count = 200;
/** Every fifth URL is null, every seventh leads nowhere, the others name 20 different pages. */
const urlOf = (id: number): string | null =>
  id % 5 === 0 ? null : id % 7 === 0 ? `${server.url}/none` : `${server.url}/page?${id % 20}`;

beforeAll(async () => {
  table = await newTable(spiral, { id: 'int32' });
  const ids = Array.from({ length: count }, (_, id) => id);
  await table.write({
    id: Int32Array.from(ids),
    url: ids.map(urlOf),
    path: ids.map((id) => (id % 2 === 0 ? at(`texts/${id}`) : pathToFileURL(at(`other/${id}`)).href)),
  });
  await mkdir(at('texts'));
  for (let id = 0; id < count; id += 4) await writeFile(at(`texts/${id}`), `text ${id}`);
});

describe('a fetch of a scan', () => {
  it('gives structs whose failures stand in their rows, each place asked once', async () => {
    const got = se.http.get(table.col('url'));
    const scan = await spiral.scan({ id: table.col('id'), got });
    const rows = await scan.toRows();
    expect(rows.slice(0, 2)).toEqual([
      { id: 0, got: null },
      {
        id: 1,
        got: {
          bytes: new Uint8Array(Buffer.from('1')),
          meta: {
            location: `${server.url}/page?1`,
            last_modified: null,
            size: 1n,
            e_tag: '"x"',
            version: null,
            status_code: 200,
          },
        },
      },
    ]);
    expect(rows[7]).toMatchObject({ got: { bytes: null, meta: { size: null, status_code: 404 } } });
    expect(new Set(server.asked).size).toBe(server.asked.length);
    expect(server.together()).toBeLessThanOrEqual(32);
    expect(server.together()).toBeGreaterThan(1);
  });

  it('is made for no row that a cheaper predicate drops, and once for filter and projection', async () => {
    const got = se.http.get(table.col('url'));
    const isFound = got.getitem('meta.status_code').eq(200);
    const where = se.and(isFound, table.col('id').lt(12), got.getitem('bytes').isNotNull());
    const scan = await spiral.scan({ text: got.getitem('bytes').cast('utf8') }, { where });
    expect(await scan.toRows()).toEqual([1, 2, 3, 4, 6, 8, 9, 11].map((id) => ({ text: `${id}` })));
    expect(server.asked.sort()).toEqual(['/none', ...[1, 2, 3, 4, 6, 8, 9, 11].map((id) => `/page?${id}`)].sort());
  });

  it('is refused private addresses where the client does not allow them', async () => {
    await using other = spiralAt(at('warehouse'));
    const scan = await other.resumeScan((await spiral.scan({ got: se.http.get(table.col('url')) })).stateJson());
    for (const [id, { got }] of (await scan.toRows()).entries()) {
      if (urlOf(id) === null) expect(got).toBe(null);
      else expect(got).toMatchObject({ bytes: null, meta: { location: urlOf(id), status_code: 403 } });
    }
    expect(server.asked).toEqual([]);
  });

  it('of files reads below the allowed folders alone, and none without any', async () => {
    const got = se.file.get(table.col('path'));
    const projection = { text: got.getitem('bytes').cast('utf8'), status: got.getitem('meta.status_code') };
    const expected = Array.from({ length: count }, (_, id) => ({
      text: id % 4 === 0 ? `text ${id}` : null,
      status: id % 2 === 1 ? 403 : id % 4 === 0 ? 200 : 404,
    }));
    const scan = await spiral.scan(projection);
    expect(await scan.toRows()).toEqual(expected);
    const take = await scan.toRows({ keyTable: { id: Int32Array.of(8, 1) } });
    expect(take).toEqual([expected[8], expected[1]]);
    await using other = spiralAt(at('warehouse'));
    const refused = await refusal(other.resumeScan(scan.stateJson()));
    expect(refused).toMatchObject({ code: 'permission_denied', details: { setting: 'effects.file_folders' } });
  });

  it.each([false, true])(
    'reaches as far in the thread of a loader as in the client (beside a udf: %s)',
    async (isBeside) => {
      const shout = se.udf({ module: new URL('./udfs/samples.ts', import.meta.url), returns: 'utf8' });
      const projection = {
        shout: isBeside ? shout(table.col('path')) : 'none',
        web: se.http.get(table.col('url')).getitem('bytes').cast('utf8'),
        file: se.file.get(table.col('path')).getitem('bytes').cast('utf8'),
      };
      const scan = await spiral.scan(projection);
      await using loader = scan.toDataLoader({ batchSize: 50, shuffleShards: false });
      const rows: unknown[] = [];
      for await (const batch of loader) for (const row of batch as RecordBatch) rows.push(row!.toJSON());
      expect(rows).toEqual(await scan.toRows());
      expect(rows).toContainEqual({ shout: isBeside ? `${at('texts/8')}!` : 'none', web: '8', file: 'text 8' });
    },
  );

  it('ends with the signal of the reader', async () => {
    const controller = new AbortController();
    const scan = await spiral.scan({ got: se.http.get(`${server.url}/hangs`), id: table.col('id') });
    const work = scan.toRows({ signal: controller.signal });
    while (server.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    controller.abort();
    expect(await refusal(work)).toMatchObject({ code: 'cancelled' });
    expect(server.asked).toEqual(['/hangs']);
  });

  it('of more bytes than a batch may hold ends the scan', async () => {
    const scan = await spiral.scan({ got: se.http.get(`${server.url}/large`), id: table.col('id') });
    expect(await refusal(scan.toRows())).toMatchObject({ code: 'limit_exceeded', details: { rows: count } });
    expect(server.asked).toEqual(['/large']);
  });

  it('is set up by settings that are checked', () => {
    const config = { 'effects.private_addresses': 'maybe' } as never;
    expect(() => new Spiral({ config })).toThrow("'true' or 'false'");
    const overrides = { 'effects.private_addresses': 'true', 'effects.file_folders': '/data' };
    expect(new Spiral({ overrides }).config).toMatchObject({ 'effects.private_addresses': true });
  });
});
