import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ObjectStore } from '../../src/storage/store.js';

/** How a small MDS data set is made. */
export interface TinyMds {
  /** Samples of each shard: sample `i` of the data set has the id `i` and `textOf(i)`. */
  readonly shards: readonly number[];
  readonly compression?: 'gz';
  readonly hashes?: readonly string[];
  /** Makes data sets differ. */
  readonly salt?: string;
}

export function textOf(id: number, salt = ''): string {
  return `${salt}sample ${id} ${'x'.repeat(id % 40)}`;
}

/** Writes a data set of MDS shards with columns `id` (int) and `text` (str) into `store`, the index last. */
export async function putTinyMds(
  store: ObjectStore,
  { shards, compression, hashes = ['sha1'], salt = '' }: TinyMds,
): Promise<void> {
  let id = 0;
  const described: unknown[] = [];
  for (const [number, samples] of shards.entries()) {
    const raw = shardOf(id, samples, salt);
    id += samples;
    const basename = `shard.${String(number).padStart(5, '0')}.mds`;
    const info = (name: string, bytes: Buffer): unknown => ({
      basename: name,
      bytes: bytes.length,
      hashes: Object.fromEntries(hashes.map((hash) => [hash, createHash(hash).update(bytes).digest('hex')])),
    });
    const zip = compression === undefined ? undefined : gzipSync(raw);
    await store.put(zip === undefined ? basename : `${basename}.gz`, zip ?? raw);
    described.push({
      column_encodings: ['int', 'str'],
      column_names: ['id', 'text'],
      column_sizes: [8, null],
      compression: compression ?? null,
      format: 'mds',
      hashes,
      raw_data: info(basename, raw),
      samples,
      size_limit: null,
      version: 2,
      zip_data: zip === undefined ? null : info(`${basename}.gz`, zip),
    });
  }
  await store.put('index.json', Buffer.from(JSON.stringify({ shards: described, version: 2 })));
}

function shardOf(first: number, samples: number, salt: string): Buffer {
  const bodies = Array.from({ length: samples }, (_, at) => {
    const text = Buffer.from(textOf(first + at, salt));
    const head = Buffer.alloc(12);
    head.writeUInt32LE(text.length);
    head.writeBigInt64LE(BigInt(first + at), 4);
    return Buffer.concat([head, text]);
  });
  const header = Buffer.alloc(4 * (samples + 2));
  header.writeUInt32LE(samples);
  let offset = header.length;
  for (const [at, body] of bodies.entries()) {
    header.writeUInt32LE(offset, 4 * (at + 1));
    offset += body.length;
  }
  header.writeUInt32LE(offset, 4 * (samples + 1));
  return Buffer.concat([header, ...bodies]);
}
