import { describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { azurite, azuriteFolder, onAzurite } from '../storage/azurite.js';
import { gcsServer, useGcs } from '../storage/gcs-server.js';
import { newTable, spiralAt } from './spiral-at.js';

const rows = Array.from({ length: 2000 }, (_, id) => ({ id: BigInt(id), text: `row ${id}`, score: id / 2 }));
const ids = rows.map(({ id }) => Number(id));

/** What `scan` gives through a feeder's thread. */
async function fed(scan: Scan): Promise<number[]> {
  await using loader = scan.toDataLoader({ feeder: true, batchSize: 500, shuffleShards: false });
  const found: number[] = [];
  for await (const batch of loader) for (const id of batch.getChild('id')!) found.push(Number(id));
  return found;
}

/** A warehouse at `uri`: written by four clients at once, read, fed by a thread, kept up, checked, exported to and read from. */
async function story(uri: string): Promise<void> {
  await using spiral = spiralAt(`${uri}/warehouse`);
  const table = await newTable(spiral);
  await table.write(rows);
  const writers = Array.from({ length: 4 }, () => spiralAt(`${uri}/warehouse`));
  await Promise.all(
    writers.map(async (writer, at) => {
      const own = await writer.table(table.id);
      for (let commit = 0; commit < 2; commit++) await own.write([{ id: BigInt(2 * at + commit), text: 'newer' }]);
      await writer.close();
    }),
  );
  expect((await table.history()).length).toBe(2 + 8);
  expect(await fed(await spiral.scan(table))).toEqual(ids);
  const where = table.col('text').eq('newer');
  expect(await (await spiral.scan({ id: table.col('id') }, { where })).toRows()).toHaveLength(8);
  await table.compact();
  await table.vacuum({ retainMs: 0 });
  await using other = spiralAt(`${uri}/warehouse`);
  const scan = await other.scan(await other.table(table.id));
  expect(await fed(scan)).toEqual(ids);
  await scan.toParquet(`${uri}/out put/a.parquet`);
  await scan.toJsonl(`${uri}/out put/b.jsonl`);
  for (const place of ['out put/a.parquet', 'out put/?.{jsonl,csv}', 'out%20put/*.parquet']) {
    const found = await (await other.scan(await other.files(`${uri}/${place}`))).toRows();
    expect(
      found.map(({ id }) => Number(id)),
      place,
    ).toEqual(ids);
  }
  const findings = await spiral.diagnose();
  const ofStore = findings.filter(({ check }) => ['store', 'conditional write', 'clock', 'delete'].includes(check));
  expect(ofStore.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok']);
}

describe('a warehouse in a cloud', () => {
  it('of Google is written, read, fed by a thread and kept up as one on a disk is', async () => {
    await using server = await gcsServer({ pageSize: 5 });
    useGcs(server.url);
    try {
      await story('gs://bucket/deep');
      expect([...server.objects.keys()].every((key) => key.startsWith('deep/'))).toBe(true);
    } finally {
      useGcs(undefined);
    }
  });

  it.skipIf(azuriteFolder === undefined)(`of Azure is so too, ${onAzurite}`, async () => {
    await using server = await azurite();
    await story(await server.folder());
  });
});
