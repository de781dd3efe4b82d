import { describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { randomStream } from '../../src/core/random.js';
import { badLine } from '../storage/bad-line.js';
import { onS3, s3Endpoint, s3Folder, useS3 } from '../storage/s3-gateway.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rows = Array.from({ length: 20_000 }, (_, id) => ({ id: BigInt(id), text: `row ${id}`, score: id / 2 }));
const ids = rows.map(({ id }) => Number(id));

/** What `scan` gives through a feeder's thread. */
async function fed(scan: Scan): Promise<number[]> {
  await using loader = scan.toDataLoader({ feeder: true, batchSize: 500, shuffleShards: false });
  const found: number[] = [];
  for await (const batch of loader) for (const id of batch.getChild('id')!) found.push(Number(id));
  return found;
}

describe.skipIf(s3Endpoint === undefined)(`a warehouse ${onS3}`, () => {
  it('is written, read, fed by a thread and kept up as one on a disk is', async () => {
    const uri = await s3Folder();
    await using spiral = spiralAt(uri);
    const table = await newTable(spiral);
    await table.write(rows.slice(0, 12_000));
    await table.write(rows.slice(12_000));
    await table.write(rows.slice(100, 200).map(({ id }) => ({ id, text: 'newer' })));
    const scan = await spiral.scan(table);
    expect(await fed(scan)).toEqual(ids);
    const where = table.col('text').eq('newer');
    expect((await (await spiral.scan(table, { where })).toRows()).map(({ id }) => Number(id))).toEqual(
      ids.slice(100, 200),
    );
    await table.compact();
    await table.vacuum({ retainMs: 0 });
    await using other = spiralAt(uri);
    expect(await fed(await other.scan(await other.table(table.id)))).toEqual(ids);
  });

  it('takes exports and reads files, by name, folder and pattern', async () => {
    const uri = await s3Folder();
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const scan = await spiral.scan(table);
    await scan.toParquet(`${uri}/out put/a.parquet`);
    await scan.toJsonl(`${uri}/out put/b.jsonl`);
    for (const place of ['out put/a.parquet', 'out put/*.jsonl', 'out put/b.{jsonl,csv}']) {
      expect(await fed(await spiral.scan(await spiral.files(`${uri}/${place}`))), place).toEqual(ids);
    }
    const folder = await spiral.files(`${uri}/out%20put`, { format: 'parquet' });
    expect(folder.files).toEqual(['a.parquet']);
    expect(await refusal(spiral.files(`${uri}/out put/none.parquet`))).toMatchObject({ code: 'not_found' });
  });

  it('loses nothing over a line that breaks', async () => {
    const uri = await s3Folder();
    await using line = await badLine(s3Endpoint!, randomStream('bad-line', 's3'), 0.03);
    useS3(line.url);
    try {
      await using spiral = spiralAt(uri);
      const table = await newTable(spiral);
      for (let part = 0; part < 4; part++) await table.write(rows.slice(part * 5000, (part + 1) * 5000));
      expect(await fed(await spiral.scan(table))).toEqual(ids);
      expect(line.broken()).toBeGreaterThan(0);
    } finally {
      useS3();
    }
  });
});
