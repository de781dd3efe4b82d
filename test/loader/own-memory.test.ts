import { expect, test } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

/** A text by which its row is known, so long that few rows make a group. */
const textOf = (row: number): string => String.fromCharCode(0x30 + row).repeat(150_000);

test.each([undefined, 16_000_000])(
  'batches that are kept stay as they were, shuffled or not (memoryBytesMax: %s)',
  async (memoryBytesMax) => {
    await using folder = await temporaryFolder();
    await using spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
    const table = await (await spiral.createProject('own')).createTable('rows', { keySchema: { row: 'int32' } });
    const rows = Array.from({ length: 64 }, (_, row) => ({ row, text: textOf(row) }));
    await table.write(rows, { batchRows: 8 });
    const scan = await spiral.scan(table);
    for (const shuffleBufferSize of [0, 16]) {
      const limit = memoryBytesMax === undefined ? {} : { memoryBytesMax };
      await using loader = scan.toDataLoader({ batchSize: 1, shuffleBufferSize, feeder: false, ...limit });
      for (let epoch = 0; epoch < 2; epoch++) {
        const kept = [];
        for await (const batch of loader) kept.push({ batch, row: batch.getChild('row')!.get(0) as number });
        expect(kept.length).toBe(rows.length);
        for (const { batch, row } of kept) {
          expect(batch.getChild('text')!.get(0) === textOf(row)).toBe(true);
        }
      }
    }
  },
);
