import { type CompressionChoice, compressShard } from '../../format/mds-compress.js';
import { createHasher } from '../../format/mds-hash.js';
import type { ShardFile } from './shard-layout.js';

/** How the files of shards are stored. */
export interface PackSettings {
  readonly compression: CompressionChoice | undefined;
  /** Names of hashes, sorted. */
  readonly hashes: readonly string[];
}

/** Bytes and hashes of a file, as an index tells them. */
export interface FileFacts {
  readonly bytes: number;
  readonly hashes: Readonly<Record<string, string>>;
}

/** A file of a shard as it is stored. */
export interface PackedFile {
  readonly role: ShardFile['role'];
  /** Of the file that is not compressed. */
  readonly ending: string;
  readonly raw: FileFacts;
  /** Undefined where it is not compressed. */
  readonly zip: FileFacts | undefined;
  /** What is stored. */
  readonly pieces: readonly Uint8Array[];
}

/** `file` compressed and hashed, as `settings` say. */
export async function packFile(file: ShardFile, { compression, hashes }: PackSettings): Promise<PackedFile> {
  const { role, ending, pieces } = file;
  const raw = await factsOf(pieces, hashes);
  if (compression === undefined) return { role, ending, raw, zip: undefined, pieces };
  const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  const zipped = await compressShard(compression, whole);
  return { role, ending, raw, zip: await factsOf([zipped], hashes), pieces: [zipped] };
}

/** Bytes that are hashed at once: libraries take no more than 2 GiB. */
const hashedBytes = 64 * 1024 * 1024;

async function factsOf(pieces: readonly Uint8Array[], names: readonly string[]): Promise<FileFacts> {
  const hashes: Record<string, string> = {};
  for (const name of names) {
    const hasher = await createHasher(name);
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += hashedBytes) hasher.update(piece.subarray(at, at + hashedBytes));
    }
    hashes[name] = hasher.digest();
  }
  return { bytes: pieces.reduce((sum, { length }) => sum + length, 0), hashes };
}
