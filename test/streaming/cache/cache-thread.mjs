/** A thread that keeps shard 0 in use until it is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { ShardCache } from '../../../build/streaming/cache/shard-cache.js';

const source = {
  identity: 'threads',
  count: 2,
  bytesOf: () => 100,
  names: (shard) => [`data/shard.${shard}`],
  fetch: (shard, into) => into.put(`data/shard.${shard}`, new Uint8Array(100)),
  check: async () => {},
};
const cache = new ShardCache(workerData.folder, { source, limitBytes: 100 });
await cache.pin(0);
parentPort.postMessage('pinned');
setInterval(() => {}, 1000);
