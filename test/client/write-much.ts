/** Forked by bounded-memory.test.ts: writes many rows, and tells the most memory that the process ever took. */
import { columnsToBatch } from '../../src/arrow/build.js';
import { Spiral } from '../../src/client/spiral.js';

const [uri, megabytes, memoryBytesMax, order] = process.argv.slice(2);
const batchRows = 1000;
const payload = 1000;
const rows = Number(megabytes) * 1000;

/** Rows of 1,000 bytes; in random order each key once, as the factor shares no divisor with a power of ten. */
function* batches(): Generator<object> {
  for (let from = 0; from < rows; from += batchRows) {
    const place = (row: number): number => (order === 'random' ? ((from + row) * 7919) % rows : from + row);
    const id = BigInt64Array.from({ length: batchRows }, (_, row) => BigInt(place(row)));
    const bytes = Array.from({ length: batchRows }, (_, row) => new Uint8Array(payload).fill(place(row)));
    yield columnsToBatch({ id, bytes });
  }
}

await using spiral = new Spiral({ config: { 'warehouse.uri': uri! } });
const project = await spiral.createProject('p');
const table = await project.createTable('t', { keySchema: { id: 'int64' } });
await table.write([{ id: -1n, bytes: new Uint8Array(payload) }]);
const before = process.resourceUsage().maxRSS;
await table.write(
  batches() as Iterable<object>,
  memoryBytesMax === '' ? {} : { memoryBytesMax: Number(memoryBytesMax) },
);
const { maxRSS } = process.resourceUsage();
let found = 0;
let last = -2n;
for await (const batch of (await spiral.scan(table.select('id'))).toRecordBatches()) {
  for (const id of batch.getChild('id')!) {
    if (id <= last) throw new Error(`Expected keys to rise, found ${id} behind ${last}.`);
    last = id;
    found++;
  }
}
process.send?.({ rows: found - 1, bytes: maxRSS * 1024, grownBytes: (maxRSS - before) * 1024 });
