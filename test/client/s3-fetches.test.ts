import type { RecordBatch } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { Spiral, se } from '../../src/index.js';
import { openStore } from '../../src/storage/open-store.js';
import { onS3, s3Endpoint, s3Folder } from '../storage/s3-gateway.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const count = 120;
const setting = 'effects.s3_folders';

describe('the places that fetches from S3 may reach', () => {
  it('are a setting that is checked, without which a scan is refused', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n, uri: 's3://bkt/k' }]);
    const refused = await refusal(spiral.scan({ got: se.s3.get(table.col('uri')) }));
    expect(refused).toMatchObject({ code: 'permission_denied', details: { setting } });
    expect(refused.message).toContain(setting);
    for (const good of ['', 's3://', 's3://bkt', 's3://bkt/x, s3://ccc/y%2Cz/', ',s3://bkt,']) {
      expect(new Spiral({ config: { [setting]: good } }).config[setting]).toBe(good);
    }
    for (const bad of [
      'b/x',
      '/data',
      's3:/bkt',
      's3://bkt/%zz',
      's3://bkt/../x',
      's3://bkt;s3://ccc',
      'http://bkt',
      's3://bkt s3://ccc',
    ]) {
      expect(() => new Spiral({ config: { [setting]: bad } }), bad).toThrow(
        expect.objectContaining({ code: 'invalid_config', message: expect.stringContaining(setting) }),
      );
    }
  });
});

describe.skipIf(s3Endpoint === undefined)(`a fetch of a scan ${onS3}`, () => {
  it('gives structs whose failures stand in their rows, in readers, takes, filters and the threads of loaders', async () => {
    const folder = await s3Folder();
    const store = openStore(folder);
    for (let id = 0; id < 10; id++) await store.put(`open/${id}`, Buffer.from(`object ${id}`));
    await store.put('secret', Buffer.from('secret'));
    const uriOf = (id: number): string | null => {
      if (id % 5 === 0) return null;
      if (id % 7 === 0) return `${folder}/open/none`;
      return id % 11 === 0 ? `${folder}/secret` : `${folder}/open/${id % 10}`;
    };
    const statusOf = (id: number): number => (id % 7 === 0 ? 404 : id % 11 === 0 ? 403 : 200);
    const isFound = (id: number): boolean => id % 5 !== 0 && statusOf(id) === 200;
    const ids = Array.from({ length: count }, (_, id) => id);
    await using spiral = spiralAt(`${folder}/warehouse`, { [setting]: `s3://other,${folder}/open` });
    const table = await newTable(spiral, { id: 'int32' });
    await table.write({ id: Int32Array.from(ids), uri: ids.map(uriOf) });

    const got = se.s3.get(table.col('uri'));
    const text = got.getitem('bytes').cast('utf8');
    const scan = await spiral.scan({ id: table.col('id'), text, status: got.getitem('meta.status_code') });
    const expected = ids.map((id) => ({
      id,
      text: isFound(id) ? `object ${id % 10}` : null,
      status: id % 5 === 0 ? null : statusOf(id),
    }));
    expect(await scan.toRows()).toEqual(expected);
    const taken = await scan.toRows({ keyTable: { id: Int32Array.of(7, 8) } });
    expect(taken).toEqual([expected[7], expected[8]]);
    const where = se.and(got.getitem('meta.size').eq(8n), table.col('id').lt(20));
    const found = await (await spiral.scan({ id: table.col('id') }, { where })).toRows();
    expect(found).toEqual(ids.filter((id) => id < 20 && isFound(id)).map((id) => ({ id })));

    await using loader = scan.toDataLoader({ batchSize: 50, shuffleShards: false, feeder: true });
    const rows: unknown[] = [];
    for await (const batch of loader) for (const row of batch as RecordBatch) rows.push(row!.toJSON());
    expect(rows).toEqual(expected);
    await using other = spiralAt(`${folder}/warehouse`);
    expect(await refusal(other.resumeScan(scan.stateJson()))).toMatchObject({ code: 'permission_denied' });
  });
});
