/** Run by scan.test.ts in a process of its own: opens a scan again, and prints what it gives. */
import { Spiral } from '../../src/client/spiral.js';
import { Shard } from '../../src/sharding/shard.js';

const [uri, stateJson, shard] = process.argv.slice(2);
const spiral = new Spiral({ config: { 'warehouse.uri': uri!, 'limits.partition_max_bytes': 7000 } });
const scan = await spiral.resumeScan(stateJson!);
const found = {
  rows: await scan.toRows(),
  some: await scan.toRows({ shards: [Shard.fromJSON(JSON.parse(shard!))] }),
  shards: await scan.shards(),
};
await spiral.close();
process.stdout.write(JSON.stringify(found, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
