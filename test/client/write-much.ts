/**
 * Forked by bounded-memory.test.ts: writes many rows, and tells the most memory that the process ever took. By hand:
 * `node --import tsx test/client/write-much.ts <folder> <megabytes> [<memoryBytesMax> or ''] [random | ascending] [writes]`.
 * More than one write overlap, each with every so many'th row, and are compacted then.
 */
import { columnsToBatch } from '../../src/arrow/build.js';
import { Spiral } from '../../src/client/spiral.js';

const [uri, megabytes, memoryBytesMax = '', order = 'random', writes = '1'] = process.argv.slice(2);
const parts = Number(writes);
const batchRows = 1000;
const payload = 1000;
const rows = Number(megabytes) * 1000;

/** Rows of 1,000 bytes; in random order each key once, as the factor shares no divisor with a power of ten. */
function* batches(part: number): Generator<object> {
  for (let from = 0; from < rows / parts; from += batchRows) {
    const place = (row: number): number => {
      const at = (from + row) * parts + part;
      return order === 'random' ? (at * 7919) % rows : at;
    };
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
for (let part = 0; part < parts; part++) {
  await table.write(batches(part), memoryBytesMax === '' ? {} : { memoryBytesMax: Number(memoryBytesMax) });
}
const written = process.resourceUsage().maxRSS;
const compactedBytes = parts > 1 ? (await table.compact()).bytesWritten : 0;
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
const told = {
  rows: found - 1,
  bytes: maxRSS * 1024,
  grownBytes: (maxRSS - before) * 1024,
  writingBytes: written * 1024,
  compactedBytes,
};
if (process.send === undefined) process.stdout.write(`${JSON.stringify(told)}\n`);
else process.send(told);
