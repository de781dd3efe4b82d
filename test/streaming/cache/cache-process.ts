/**
 * Forked by shard-cache-processes.test.ts: reads shards of a data set through a shared cache, in an order, two at a time, and
 * tells of each once its samples were as they should be.
 */
import { isSpiralError } from '../../../src/core/errors.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { type MdsSamples, openMdsSamples } from '../../../src/streaming/mds/mds-samples.js';
import type { PinnedShard } from '../../../src/streaming/samples/sample-shards.js';
import { FlakyStore } from '../flaky-store.js';
import { textOf } from '../tiny-mds.js';

/** What the process is to do. */
export interface CacheTask {
  readonly remote: string;
  readonly local: string;
  readonly limit: number;
  readonly order: readonly number[];
  readonly starts: readonly number[];
  readonly seed: number;
  readonly holdMs: number;
}

const { remote, local, limit, order, starts, seed, holdMs } = JSON.parse(process.argv[2]!) as CacheTask;
const flaky = new FlakyStore(fileStore(remote), seed, {});

async function open(): Promise<MdsSamples> {
  for (;;) {
    try {
      return await openMdsSamples({
        remote: flaky,
        local,
        cacheLimitBytes: limit,
        downloadTimeoutMs: 200,
        downloadRetry: 1,
        downloads: 2,
      });
    } catch (error) {
      // A machine with much to do may not answer in so short a time.
      if (!isSpiralError(error, 'unavailable')) throw error;
    }
  }
}

const samples = await open();
flaky.flakiness = { fail: 0.1, truncate: 0.05, corrupt: 0.05, stall: 0.02, delayMsMax: 4 };
samples.expect(order);

async function pin(shard: number): Promise<PinnedShard> {
  for (;;) {
    try {
      return await samples.pin(shard);
    } catch (error) {
      if (!isSpiralError(error, 'unavailable', 'corrupt_file')) throw error;
    }
  }
}

async function check(pinned: PinnedShard, shard: number): Promise<void> {
  const [from, count] = [starts[shard]!, starts[shard + 1]! - starts[shard]!];
  const [ids, texts] = await pinned.read(0, count);
  const values = ids!.values as BigInt64Array;
  const offsets = texts!.valueOffsets as Int32Array;
  const bytes = Buffer.from(texts!.values as Uint8Array);
  for (let at = 0; at < count; at++) {
    const text = bytes.toString('utf8', offsets[at]!, offsets[at + 1]!);
    if (Number(values[at]) !== from + at || text !== textOf(from + at)) throw new Error(`Sample ${from + at}: ${text}`);
  }
}

let before: { pinned: PinnedShard; shard: number } | undefined;
for (const [at, shard] of order.entries()) {
  const pinned = await pin(shard);
  await check(pinned, shard);
  if (holdMs > 0) await new Promise((resolve) => setTimeout(resolve, holdMs));
  if (before !== undefined) {
    // Still whole: it was in use all the time.
    await check(before.pinned, before.shard);
    before.pinned.release();
  }
  before = { pinned, shard };
  process.send?.({ at, shard });
}
before?.pinned.release();
await samples.close();
process.send?.({ stats: samples.stats() }, () => process.disconnect());
