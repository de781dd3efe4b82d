import { isSpiralError } from '../../../src/core/errors.js';
import { mdsFormat } from '../../../src/format/mds-file.js';
import { openStore } from '../../../src/storage/open-store.js';
import { inspectMds } from '../../../src/streaming/mds/inspect-mds.js';
import { verifyMds } from '../../../src/streaming/mds/verify-mds.js';
import { mergeIndex } from '../../../src/streaming/writing/merge-index.js';
import { expectSame, type FuzzTarget, jsonBytes, type OpenTarget, textOf } from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { mutateText } from '../mutate-text.js';
import { mutateValue, type Plain } from '../mutate-value.js';
import { csvWriter, jsonWriter, mdsWriter, type WrittenFiles } from './mds-sets.js';
import { readFile } from './seed-rows.js';

const families = ['br', 'bz2', 'gz', 'snappy', 'zstd'] as const;

/** The data sets that inputs are made of. */
function dataSets(hashes: readonly string[]): Promise<WrittenFiles[]> {
  return Promise.all([
    mdsWriter({ hashes }),
    ...families.map((compression) => mdsWriter({ hashes, compression })),
    jsonWriter({ hashes }),
    jsonWriter({ hashes, compression: 'zstd' }),
    csvWriter({ hashes }),
    csvWriter({ hashes, compression: 'gz' }),
  ]);
}

/**
 * An input is the number of a data set, the number of one of its files, and what stands in that file instead. The file of an
 * index comes first.
 */
function withFile(set: number, file: number, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(set, file), bytes]));
}

/** The files of the data set of an input, and whether its index is as it was. */
function filesOf(sets: readonly WrittenFiles[], input: Uint8Array): { files: Record<string, Uint8Array>; set: number } {
  const set = (input[0] ?? 0) % sets.length;
  const names = Object.keys(sets[set]!);
  const name = names[(input[1] ?? 0) % names.length]!;
  return { files: { ...sets[set], [name]: input.slice(2) }, set };
}

/** Every shard has its hash: rows are as they were, or the file is refused. */
async function openHashed(): Promise<OpenTarget> {
  const sets = await dataSets(['xxh64', 'sha1']);
  const format = mdsFormat({ validateHash: 'xxh64' });
  const expected = await Promise.all(sets.map((files) => readFile(format, files)));
  return {
    seeds: sets.map((files, set) => withFile(set, 1, Object.values(files)[1]!)),
    parse: async (input) => {
      const { files, set } = filesOf(sets, input);
      expectSame(await readFile(format, files), expected[set], 'a sample');
    },
    input: (draw) => {
      const set = draw.below(sets.length);
      const files = Object.values(sets[set]!);
      const file = 1 + draw.below(files.length - 1);
      return withFile(set, file, mutateBytes(files[file]!, draw));
    },
  };
}

/** Nothing has a hash, and the index tells the sizes that there are: the damage is met by the decoders. */
async function openPlain(): Promise<OpenTarget> {
  const sets = await dataSets([]);
  return {
    seeds: sets.map((files, set) => withFile(set, 1, Object.values(files)[1]!)),
    parse: async (input) => {
      const { files } = filesOf(sets, input);
      return readFile(mdsFormat(), { ...files, 'index.json': withSizes(files) });
    },
    input: (draw) => {
      const set = draw.below(sets.length);
      const files = Object.values(sets[set]!);
      const file = 1 + draw.below(files.length - 1);
      return withFile(set, file, mutateBytes(files[file]!, draw, pick(files, draw)));
    },
  };
}

/** The index of `files` with the sizes that they have. */
function withSizes(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const index = JSON.parse(textOf(files['index.json']!)) as {
    shards: Record<string, { basename: string; bytes: number }>[];
  };
  for (const shard of index.shards) {
    for (const key of ['raw_data', 'zip_data', 'raw_meta', 'zip_meta']) {
      const bytes = files[shard[key]?.basename ?? ''];
      if (bytes !== undefined) shard[key]!.bytes = bytes.length;
    }
  }
  return jsonBytes(index as unknown as Plain);
}

/** An index that was changed, and what it names. */
async function openIndex(): Promise<OpenTarget> {
  const sets = [...(await dataSets(['sha1'])), ...(await dataSets([]))];
  const indexes = sets.map((files) => textOf(files['index.json']!));
  const values = indexes.map((text) => JSON.parse(text) as Plain);
  return {
    seeds: sets.map((files, set) => withFile(set, 0, files['index.json']!)),
    parse: (input) => readFile(mdsFormat(), filesOf(sets, input).files),
    input: (draw) => {
      const set = draw.below(sets.length);
      const kind = draw.below(4);
      if (kind === 0) return withFile(set, 0, mutateBytes(sets[set]!['index.json']!, draw));
      if (kind === 1) return withFile(set, 0, Buffer.from(mutateText(indexes[set]!, draw, pick(indexes, draw))));
      return withFile(set, 0, jsonBytes(mutateValue(values[set]!, draw, pick(values, draw))));
    },
  };
}

/** The same, for what looks at data sets without reading them as rows: checking, inspecting, merging. */
async function openTools(): Promise<OpenTarget> {
  const sets = [...(await dataSets(['sha1'])), ...(await dataSets([]))];
  const whole = await openIndex();
  let number = 0;
  const parse = async (input: Uint8Array): Promise<void> => {
    const { files } = filesOf(sets, input);
    const uri = `memory://fuzz-tools-${number++}`;
    const store = openStore(uri);
    const errors: unknown[] = [];
    try {
      for (const [path, bytes] of Object.entries(files)) await store.put(`part/${path}`, bytes);
      for (const work of [
        () => verifyMds(`${uri}/part`),
        () => inspectMds(`${uri}/part`),
        () => mergeIndex(uri),
        () => readMerged(uri),
      ]) {
        await work().catch((error: unknown) => errors.push(error));
      }
    } finally {
      for await (const { path } of store.list('')) await store.delete(path);
      await store.close();
    }
    const [first] = errors.sort((a, b) => Number(isSpiralError(a)) - Number(isSpiralError(b)));
    if (first !== undefined) throw first;
  };
  return { ...whole, parse };
}

async function readMerged(uri: string): Promise<void> {
  const store = openStore(uri);
  const files: Record<string, Uint8Array> = { 'index.json': await store.get('index.json') };
  for await (const { path } of store.list('')) files[path] = await store.get(path);
  await readFile(mdsFormat(), files);
}

export const mdsTargets: readonly FuzzTarget[] = [
  { name: 'mds shard, with hashes', ci: 40, long: 20_000, open: openHashed },
  { name: 'mds shard, without hashes', ci: 80, long: 40_000, open: openPlain },
  { name: 'mds index.json', ci: 100, long: 50_000, open: openIndex },
  { name: 'mds index.json, checked and merged', ci: 25, long: 10_000, open: openTools },
];
