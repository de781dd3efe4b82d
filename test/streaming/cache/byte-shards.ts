import { SpiralError } from '../../../src/core/errors.js';
import type { ObjectStore } from '../../../src/storage/store.js';
import type { Fetching, ShardSource } from '../../../src/streaming/cache/shard-source.js';

/** Shard `number` of a data set of plain bytes: each tells its shard and its place. */
export function shardBytes(shard: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (shard * 31 + at * 7 + (at >> 8)) & 0xff);
}

/** A source of shards of these sizes, which the store `remote` holds as `shard.N`, or which come out of nothing. */
export class ByteShards implements ShardSource {
  readonly identity: string;
  readonly count: number;
  readonly sizes: readonly number[];
  readonly remote: ObjectStore | undefined;
  /** Shards that were fetched, in the order in which that began. */
  readonly fetched: number[] = [];
  readonly checked: number[] = [];

  constructor(sizes: readonly number[], remote?: ObjectStore, identity = 'bytes') {
    this.sizes = sizes;
    this.count = sizes.length;
    this.remote = remote;
    this.identity = identity;
  }

  /** Puts all shards into `store`. */
  static async put(sizes: readonly number[], store: ObjectStore): Promise<void> {
    for (const [shard, size] of sizes.entries()) await store.put(`shard.${shard}`, shardBytes(shard, size));
  }

  bytesOf(shard: number): number {
    return this.sizes[shard]!;
  }

  names(shard: number): string[] {
    return [`data/shard.${shard}`];
  }

  async fetch(shard: number, into: ObjectStore, { signal }: Fetching): Promise<void> {
    this.fetched.push(shard);
    const bytes = await (this.remote?.get(`shard.${shard}`, { signal }) ?? shardBytes(shard, this.sizes[shard]!));
    await into.put(this.names(shard)[0]!, bytes, { signal });
    await this.check(shard, into);
    this.checked.pop();
  }

  async check(shard: number, files: ObjectStore): Promise<void> {
    this.checked.push(shard);
    const found = await files.get(this.names(shard)[0]!);
    if (Buffer.compare(found, shardBytes(shard, this.sizes[shard]!)) === 0) return;
    throw new SpiralError('corrupt_file', `Expected the bytes of shard ${shard}, found others.`, {
      details: { shard },
    });
  }
}
