import { createHash } from 'node:crypto';

// Without its native part, which takes a thread ten milliseconds to load, more than what is packed here.
import { Packr } from 'msgpackr/pack';
import { checksum } from '../arrow/checksum.js';
import { schemaWords, toSchema } from '../arrow/schema.js';
import { checkSignal } from '../core/abort.js';
import { isSpiralError } from '../core/errors.js';
import { textIndexesMax } from '../core/limits.js';
import type { RowFileOptions } from './row-file.js';
import type { TextIndex } from './text-groups.js';

/** The version of how files are cut into groups and typed, and of how that is written down; raised with either. */
const indexVersion = 1;
const checksumBytes = 4;
const packr = new Packr({ useRecords: false });

/** Indexes of this process, by key; the least recently used is let go first. */
const known = new Map<string, Promise<TextIndex>>();

/**
 * What names the index of one version of a file, read in one way. `settings` are those of its format.
 */
export function textIndexKey(
  where: string,
  size: number,
  { modifiedMs, schema }: Pick<RowFileOptions, 'modifiedMs' | 'schema'>,
  settings: string,
): string {
  return JSON.stringify([
    indexVersion,
    where,
    size,
    modifiedMs,
    settings,
    schema === undefined ? null : schemaWords(schema),
  ]);
}

/**
 * The index of `key`: the one handed over, or remembered in this process, or kept in `options.indexes`, or else made by `make`
 * and kept there. One that is damaged, or not of this key, counts for none; a store that takes no index is done without.
 */
export async function knownTextIndex(
  key: string,
  size: number,
  options: Pick<RowFileOptions, 'index' | 'indexes' | 'signal'>,
  make: () => Promise<TextIndex>,
): Promise<TextIndex> {
  const given = options.index === undefined ? undefined : decodeTextIndex(options.index, key, size);
  if (given !== undefined) return remember(key, Promise.resolve(given));
  const shared = known.get(key);
  if (shared === undefined) return remember(key, storedOrMade(key, size, options, make));
  try {
    return await remember(key, shared);
  } catch (error) {
    // Somebody else's signal may have ended the pass.
    if (!isSpiralError(error, 'cancelled')) throw error;
    checkSignal(options.signal, 'opening of a text file');
    return remember(key, storedOrMade(key, size, options, make));
  }
}

function remember(key: string, index: Promise<TextIndex>): Promise<TextIndex> {
  known.delete(key);
  known.set(key, index);
  index.catch(() => {
    if (known.get(key) === index) known.delete(key);
  });
  if (known.size > textIndexesMax) known.delete(known.keys().next().value!);
  return index;
}

async function storedOrMade(
  key: string,
  size: number,
  { indexes, signal }: Pick<RowFileOptions, 'indexes' | 'signal'>,
  make: () => Promise<TextIndex>,
): Promise<TextIndex> {
  if (indexes === undefined) return make();
  const path = `text-index/${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  const stored = await withoutStore(async () => decodeTextIndex(await indexes.get(path, { signal }), key, size));
  if (stored !== undefined) return stored;
  const index = await make();
  await withoutStore(() => indexes.put(path, encodeTextIndex(key, index), { signal }));
  return index;
}

/** What `work` gives; undefined where the store cannot do it, as one that may not be written to. */
async function withoutStore<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isSpiralError(error) && error.kind !== 'cancelled') return undefined;
    throw error;
  }
}

interface PackedIndex {
  readonly key: string;
  readonly schema: readonly (readonly [string, string])[];
  readonly header: readonly string[];
  readonly starts: Uint8Array;
  readonly rowStarts: Uint8Array;
}

/** `index` as bytes: a CRC-32, then MessagePack. */
export function encodeTextIndex(key: string, index: TextIndex): Uint8Array {
  const packed: PackedIndex = {
    key,
    schema: schemaWords(index.schema),
    header: index.header,
    starts: bytesOf(index.starts),
    rowStarts: bytesOf(index.rowStarts),
  };
  const body = packr.pack(packed);
  const sum = Buffer.alloc(checksumBytes);
  sum.writeUInt32LE(checksum(body));
  return Buffer.concat([sum, body]);
}

/** The index that `bytes` are; undefined where they are not whole, or are the index of another key. */
export function decodeTextIndex(bytes: Uint8Array, key: string, size: number): TextIndex | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < checksumBytes || view.readUInt32LE(0) !== checksum(view.subarray(checksumBytes))) return undefined;
  let index: TextIndex;
  try {
    const packed = packr.unpack(view.subarray(checksumBytes)) as PackedIndex;
    if (packed.key !== key) return undefined;
    index = {
      schema: toSchema(packed.schema, 'an index'),
      header: packed.header,
      starts: numbersOf(packed.starts),
      rowStarts: numbersOf(packed.rowStarts),
    };
  } catch {
    return undefined;
  }
  return isSound(index, size) ? index : undefined;
}

/** Whether it can be an index of a file of `size` bytes: each row has one of them at least. */
function isSound({ header, starts, rowStarts }: TextIndex, size: number): boolean {
  if (!Array.isArray(header) || header.some((name) => typeof name !== 'string')) return false;
  if (starts.length === 0 || starts.length !== rowStarts.length || rowStarts[0] !== 0) return false;
  if (!starts.every(Number.isSafeInteger) || starts[0]! < 0 || starts.at(-1)! > size) return false;
  return rowStarts.every((row, at) => {
    const [rows, bytes] = [row - rowStarts[at - 1]!, starts[at]! - starts[at - 1]!];
    return at === 0 || (Number.isSafeInteger(row) && rows > 0 && rows <= bytes);
  });
}

function bytesOf(numbers: Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function numbersOf(bytes: Uint8Array): Float64Array {
  return new Float64Array(Uint8Array.from(bytes).buffer);
}
