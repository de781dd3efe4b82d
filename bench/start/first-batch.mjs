/**
 * `first-batch.mjs <warehouse> <table> <feeder>`: a process that has just begun tells how long its first batch takes, from
 * making the client on. Plain JavaScript, as a loader of TypeScript would be part of what is measured.
 */
import { Spiral } from '../../dist/index.js';

const [warehouse, name, feeder] = process.argv.slice(2);
const start = performance.now();
const spiral = new Spiral({ config: { 'warehouse.uri': warehouse, 'limits.partition_max_bytes': 1 } });
const scan = await spiral.scan(await spiral.project('bench').table(name));
const loader = scan.toDataLoader({ batchSize: 32, feeder: feeder === 'true' });
for await (const batch of loader) {
  const ms = performance.now() - start;
  const shards = await scan.shards();
  process.stdout.write(JSON.stringify({ ms, rows: batch.numRows, shards: shards.length }));
  break;
}
await loader.close();
await spiral.close();
