import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unpack } from 'msgpackr';
import { checksum } from '../../../src/arrow/checksum.js';
import { SpiralError } from '../../../src/core/errors.js';
import { csvFormat } from '../../../src/format/csv-file.js';
import type { RowFile } from '../../../src/format/row-file.js';
import { decodeTextIndex } from '../../../src/format/text-index.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import { ShardCache } from '../../../src/streaming/cache/shard-cache.js';
import { ByteShards, shardBytes } from '../../streaming/cache/byte-shards.js';
import { byteInputs, expectSame, type FuzzTarget, type OpenTarget } from '../fuzz-target.js';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateText } from '../mutate-text.js';
import { readRows } from './seed-rows.js';

const sizes = [300, 200, 250, 100];
const order = [0, 1, 2, 3, 1, 0];
/** Room for three of the shards, so that some have to go. */
const limitBytes = 800;
/** Milliseconds after which a pin is given up: who lives and says that it fetches a shard is waited for. */
const patienceMs = 3000;

function cacheIn(folder: string, most: number): ShardCache {
  const source = new ByteShards(sizes);
  return new ShardCache(folder, { source, limitBytes, ahead: { most }, standstillMs: 20 });
}

async function filesBelow(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(place.slice(folder.length + 1), await readFile(place));
  }
  return files;
}

/** The files of a cache that is in use, by this very thread: it is alive, so what it says is believed. */
async function filesOfCache(): Promise<Map<string, Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), 'spiral-fuzz-cache-'));
  try {
    // Nothing is fetched ahead, so that no file comes or goes while they are read.
    const cache = cacheIn(folder, 0);
    cache.expect(order);
    const pin = await cache.pin(1);
    (await cache.pin(0)).release();
    const files = await filesBelow(folder);
    pin.release();
    await cache.close();
    return files;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A cache folder in which another's words, the ledger, the names or a shard were changed: whatever comes has the right bytes. */
async function openCache(): Promise<OpenTarget> {
  const files = await filesOfCache();
  const paths = [...files.keys()].sort();
  const kinds = ['data/shard.1', 'ledger', 'names', '.needs', 'lock'];
  if (kinds.slice(0, 4).some((kind) => !paths.some((path) => path.endsWith(kind)))) {
    throw new Error(`Some kind of file is missing: ${paths.join(', ')}.`);
  }
  const withFile = (file: number, bytes: Uint8Array): Uint8Array =>
    new Uint8Array(Buffer.concat([Uint8Array.of(file), bytes]));
  return {
    seeds: paths.map((path, file) => withFile(file, files.get(path)!)),
    input: (draw) => {
      const file = draw.below(paths.length);
      const bytes = files.get(paths[file]!)!;
      const text = Buffer.from(bytes).toString();
      const isText = bytes[0] === 0x7b || bytes[0] === 0x22;
      return withFile(
        file,
        isText && draw.below(3) > 0 ? Buffer.from(mutateText(text, draw, text)) : mutateBytes(bytes, draw),
      );
    },
    parse: async (input) => {
      const folder = await mkdtemp(join(tmpdir(), 'spiral-fuzz-cache-'));
      const changed = new Map(files).set(paths[(input[0] ?? 0) % paths.length]!, input.subarray(1));
      try {
        for (const [path, bytes] of changed) {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await writeFile(join(folder, path), bytes);
        }
        await useCache(folder);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function useCache(folder: string): Promise<void> {
  const cache = cacheIn(folder, 1);
  try {
    cache.expect(order);
    for (const shard of order) {
      const pin = await cache.pin(shard, AbortSignal.timeout(patienceMs));
      const found = await readFile(join(folder, `data/shard.${shard}`));
      expectSame(found, Buffer.from(shardBytes(shard, sizes[shard]!)), `shard ${shard}`);
      pin.release();
    }
  } finally {
    await cache.close();
  }
}

const text = 'id,name\n1,ann\n2,bob\n3,"c\nd"\n4,é\n5,\n';
const small = csvFormat({ groupRows: 2, groupBytes: 16, chunkBytes: 16 });

/** The index that is kept of a text file, its checksum mended: another file's, or none, or one by which it is read. */
async function openTextIndex(): Promise<OpenTarget> {
  const bytes = Buffer.from(text);
  const store = memoryStore();
  await store.put('x.csv', bytes);
  const open = (index?: Uint8Array): Promise<RowFile> =>
    small.open(store, 'x.csv', bytes.length, index === undefined ? { modifiedMs: 1 } : { modifiedMs: 1, index });
  const seed = (await open()).index!;
  const seal = (body: Uint8Array): Uint8Array => {
    const sealed = Buffer.from(body);
    if (sealed.length >= 4) sealed.writeUInt32LE(checksum(sealed.subarray(4)));
    return new Uint8Array(sealed);
  };
  const { key } = unpack(seed.subarray(4)) as { key: string };
  const parse = async (index: Uint8Array): Promise<unknown> => {
    // What is no index of the file is passed over, and the file gone through instead.
    if (decodeTextIndex(index, key, bytes.length) === undefined)
      throw new SpiralError('corrupt_file', 'No index of it.');
    return readRows(await open(index));
  };
  return byteInputs([seed], parse, seal);
}

export const keptFileTargets: readonly FuzzTarget[] = [
  { name: 'files of a stream cache', ci: 40, long: 4_000, open: openCache },
  { name: 'index of a text file, checksum mended', ci: 80, long: 20_000, open: openTextIndex },
];
