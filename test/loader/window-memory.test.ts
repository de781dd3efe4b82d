import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const rows = 60_000;
/** Bytes of a row: a number, ten of 64 bits, a text of 200 on average and where it begins. */
const rowBytes = 4 + 80 + 200 + 4;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const table = await (await spiral.createProject('windows')).createTable('rows', { keySchema: { row: 'int32' } });
  for (let from = 0; from < rows; from += rows / 2) {
    const row = Int32Array.from({ length: rows / 2 }, (_, at) => from + at);
    const numbers = Array.from({ length: 10 }, (_, at) => [`number${at}`, Float64Array.from(row)] as const);
    const text = Array.from(row, (number) => 'x'.repeat(100 + ((number * 7919) % 201)));
    await table.write({ row, text, ...Object.fromEntries(numbers) }, { batchRows: 8192 });
  }
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

test.each([1000, 3000, 10_000])(
  'a shuffle of files that are verified holds little more than two windows (of %i rows)',
  async (windowRows) => {
    await using loader = scan.toDataLoader({ shuffleBufferSize: windowRows, batchSize: 64, feeder: false });
    for await (const _ of loader);
    for (let epoch = 1; epoch < 4; epoch++) {
      let most = 0;
      let seen = 0;
      for await (const batch of loader) {
        seen += batch.numRows;
        most = Math.max(most, loader.stats().memory.heldBytes);
      }
      expect(seen).toBe(rows);
      expect(most).toBeGreaterThan(windowRows * rowBytes);
      // A group of batches, what copies them, and the rest of a page of the arena are the same for all.
      expect(most).toBeLessThan(1.2 * 2 * windowRows * rowBytes + 200_000);
    }
  },
);
