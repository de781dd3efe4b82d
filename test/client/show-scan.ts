import { spiralAt } from './spiral-at.js';

/** Reads a table of two batches slowly, with a progress line unless the argument is `hide`, and prints how many rows came. */
await using spiral = spiralAt();
const table = await (await spiral.createProject('p')).createTable('t', { keySchema: { id: 'int64' } });
const ids = BigInt64Array.from({ length: 100 }, (_, at) => BigInt(at));
// Batches of numbers alone would be read as one.
await table.write({ id: ids, text: Array.from(ids, String) }, { batchRows: 50 });
const scan = await spiral.scan(table);
let rows = 0;
for await (const batch of scan.toRecordBatches({ hideProgressBar: process.argv[2] === 'hide' })) {
  rows += batch.numRows;
  await new Promise((resolve) => setTimeout(resolve, 1100));
}
process.stdout.write(`${rows}\n`);
