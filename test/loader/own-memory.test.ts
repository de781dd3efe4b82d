import { expect, test } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

test('a batch that is kept stays as it was, shuffled or not, however small', async () => {
  await using folder = await temporaryFolder();
  await using spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const table = await (await spiral.createProject('own')).createTable('rows', { keySchema: { row: 'int32' } });
  const row = Int32Array.from({ length: 60_000 }, (_, at) => at);
  // Blocks of more than 64 KiB, whose memory is read into again.
  await table.write({ row, value: Float64Array.from(row) }, { batchRows: 8192 });
  const scan = await spiral.scan(table);
  for (const shuffleBufferSize of [0, 8192]) {
    for (const memoryBytesMax of [undefined, 4_000_000]) {
      const limit = memoryBytesMax === undefined ? {} : { memoryBytesMax };
      await using loader = scan.toDataLoader({ batchSize: 1, shuffleBufferSize, feeder: false, ...limit });
      const kept: { batch: { getChild(name: string): { get(at: number): unknown } | null }; at: number }[] = [];
      for await (const batch of loader) {
        if (loader.step % 500 === 1) kept.push({ batch, at: batch.getChild('row')!.get(0) as number });
      }
      expect(kept.length).toBe(120);
      for (const { batch, at } of kept) {
        expect([batch.getChild('row')!.get(0), batch.getChild('value')!.get(0)]).toEqual([at, at]);
      }
    }
  }
});
