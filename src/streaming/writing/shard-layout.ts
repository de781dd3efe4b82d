import type { GrowingBytes } from '../../format/growing-bytes.js';
import type { MdsShardFormat } from '../../format/mds-index.js';

/** A sample: a value for each column, by its name. Other keys are ignored. */
export type Sample = Readonly<Record<string, unknown>>;

/** What index and shards say of how shards are written, beside the columns. */
export interface CommonSettings {
  readonly compression: string | null;
  readonly hashes: readonly string[];
  readonly size_limit: number | null;
}

/** A file of a shard, before it is compressed. */
export interface ShardFile {
  /** `data` holds the samples, `meta` where they begin, in formats that say so in a file of its own. */
  readonly role: 'data' | 'meta';
  /** What its name ends with: `.mds`, `.json.meta`. */
  readonly ending: string;
  /** Its bytes, in buffers of their own. */
  readonly pieces: readonly Uint8Array[];
}

/** How samples are laid out in the shards of one format. */
export interface ShardLayout {
  readonly format: MdsShardFormat;
  /** What the index says of each shard, apart from its files and samples. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What counts towards the size limit before the first sample, and with each sample beside its own bytes. */
  readonly startBytes: number;
  readonly sampleBytes: number;
  /** Bytes before the samples in the data file that do not count. */
  readonly headBytes: number;
  /** The column that is, or was last, appended. */
  readonly column: string;
  /** Appends a sample. @throws RefusedValue for one of `column`; what was appended by then is for the caller to take back. */
  append(sample: Sample, into: GrowingBytes): void;
  /** The files of a shard of `samples`, of which each begins at one of `starts`. */
  files(samples: Uint8Array, starts: readonly number[]): ShardFile[];
}

/** `u32` numbers, little-endian, in memory of their own: a count, `starts` and the end, each with `base` added. */
export function offsetTable(starts: readonly number[], end: number, base: number): Buffer {
  const table = Buffer.allocUnsafeSlow(4 * (starts.length + 2));
  table.writeUInt32LE(starts.length, 0);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  for (let at = 0; at < starts.length; at++) view.setUint32(4 * (at + 1), base + starts[at]!, true);
  table.writeUInt32LE(base + end, 4 * (starts.length + 1));
  return table;
}

/** `text` in UTF-8, in memory of its own. */
export function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
