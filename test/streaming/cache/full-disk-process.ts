/** Run by full-disk.test.ts where files may not grow beyond 1 MiB: prints what came of pins of a large and a small shard. */
import { isSpiralError } from '../../../src/core/errors.js';
import { ShardCache } from '../../../src/streaming/cache/shard-cache.js';
import { ByteShards } from './byte-shards.js';

const source = new ByteShards([2 * 1024 * 1024, 1000]);
const cache = new ShardCache(process.argv[2]!, { source, limitBytes: 3 * 1024 * 1024 });
(await cache.pin(1)).release();
const large = await cache.pin(0).catch((error: unknown) => error);
(await cache.pin(1)).release();
const size = await cache.sizeBytes();
await cache.close();
process.stdout.write(
  `${JSON.stringify({ code: isSpiralError(large) ? large.code : 'none', size, stats: cache.stats() })}\n`,
);
