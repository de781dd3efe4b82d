import { knownOptions } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { readConcurrency } from '../../core/limits.js';
import { Semaphore } from '../../core/semaphore.js';
import { compareCodePoints, jsonText } from '../../format/python-json.js';
import { openStore } from '../../storage/open-store.js';
import type { ObjectStore } from '../../storage/store.js';
import { checkpointName, indexName } from './begin-writing.js';
import { openTarget, type WriterOut, type WriterTarget } from './writer-target.js';
import {
  checkDistinct,
  checkSettings,
  parseShards,
  type ShardEntry,
  storedFiles,
  type WrittenShards,
} from './written-shards.js';

/** What `mergeIndex` takes besides. */
export interface MergeIndexOptions {
  /** Where the merged index goes: a folder above all that are listed. Needed with a list, and only with one. */
  readonly out?: WriterOut | undefined;
  /** With `[local, remote]`: writes the index to the local folder too. Default true, as MosaicML. */
  readonly keepLocal?: boolean | undefined;
  /** Ends the merging with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** What was merged. */
export interface MergedIndex {
  /** Paths of the indexes below the folder, in the order of their shards. */
  readonly indexes: readonly string[];
  readonly shards: number;
  readonly samples: number;
}

/**
 * Makes one data set of several that lie below one folder, by an `index.json` in it that names all their shards: those of a
 * folder, in the order of their paths, or those that are listed (folders, or their `index.json`), in that order. Only indexes
 * are read. A folder with an index stands for all below it.
 *
 * ```ts
 * await mergeIndex('data');                                          // data/part-0, data/part-1 …
 * await mergeIndex(['data/b', 'data/a'], { out: 'data' });
 * ```
 *
 * @throws SpiralError `not_found` where there is no index, a shard's file is not there or a part is not finished;
 * `state_mismatch` for parts of other columns or formats; `corrupt_file`; `path_outside_root` for one that is listed and does
 * not lie below `out`; `already_exists` where `out` has an index of shards of its own.
 */
export async function mergeIndex(
  outOrList: WriterOut | readonly string[],
  options: MergeIndexOptions = {},
): Promise<MergedIndex> {
  knownOptions('mergeIndex', options, ['out', 'keepLocal', 'signal']);
  const { out, keepLocal = true, signal } = options;
  if (out !== undefined && !Array.isArray(outOrList)) {
    throw new SpiralError('invalid_argument', `Expected a list of indexes beside \`out\`, got ${shown(outOrList)}.`, {
      details: { name: 'out' },
    });
  }
  if (typeof keepLocal !== 'boolean') {
    throw new SpiralError('invalid_argument', `Expected \`keepLocal\` to be true or false, got ${shown(keepLocal)}.`, {
      details: { name: 'keepLocal', found: keepLocal },
    });
  }
  const target = openTarget(out ?? outOrList, keepLocal);
  try {
    const folders =
      out === undefined
        ? await foldersBelow(target.main, signal)
        : (outOrList as readonly unknown[]).map((place) => folderOf(target.main, place));
    await refuseOwnShards(target, signal);
    return await merge(target, folders, signal);
  } finally {
    await target.close();
  }
}

async function merge(
  target: WriterTarget,
  folders: readonly string[],
  signal: AbortSignal | undefined,
): Promise<MergedIndex> {
  const store = target.main;
  if (folders.length === 0) {
    throw new SpiralError('not_found', `Expected the index.json of a data set below ${store.uri}, found none.`, {
      details: { uri: store.uri },
    });
  }
  const slots = new Semaphore(readConcurrency);
  const parts = await Promise.all(folders.map((folder) => slots.run(() => partOf(store, folder, signal))));
  const entries = parts.flatMap((part) => part.entries);
  const shards = parts.flatMap((part) => part.shards);
  const merged: WrittenShards = { entries, shards };
  if (entries[0] !== undefined) checkSettings(merged, entries[0], store.uri);
  checkDistinct(merged, store.uri);
  await target.put(indexName, [Buffer.from(jsonText({ version: 2, shards: entries }))], signal);
  return {
    indexes: folders.map((folder) => `${folder}/${indexName}`),
    shards: shards.length,
    samples: shards.reduce((sum, { samples }) => sum + samples, 0),
  };
}

/** The folders of the data sets below `store`, by path. */
async function foldersBelow(store: ObjectStore, signal: AbortSignal | undefined): Promise<string[]> {
  const folders: string[] = [];
  const begun: string[] = [];
  for await (const { path } of store.list('', { signal })) {
    const cut = path.lastIndexOf('/');
    if (cut < 0) continue;
    const name = path.slice(cut + 1);
    if (name === indexName) folders.push(path.slice(0, cut));
    if (name === checkpointName) begun.push(path.slice(0, cut));
  }
  const unfinished = begun.find((folder) => !folders.includes(folder));
  if (unfinished !== undefined) {
    throw new SpiralError(
      'not_found',
      `Expected an ${indexName} in ${store.uri}/${unfinished}, found a writer's checkpoint alone: finish it with \`resume: true\`, or delete it.`,
      { details: { uri: store.uri, folder: unfinished } },
    );
  }
  const known = new Set(folders);
  return folders.filter((folder) => !parentsOf(folder).some((parent) => known.has(parent)));
}

function parentsOf(folder: string): string[] {
  const segments = folder.split('/');
  return segments.slice(1).map((_, at) => segments.slice(0, at + 1).join('/'));
}

/** The folder of the index at `place`, below `store`. */
function folderOf(store: ObjectStore, place: unknown): string {
  if (typeof place !== 'string' || place === '') {
    throw new SpiralError('invalid_argument', `Expected folders of data sets in the list, got ${shown(place)}.`, {
      details: { found: shown(place) },
    });
  }
  const { uri } = openStore(place.replace(/\/(index\.json)?$/, ''));
  if (uri.startsWith(`${store.uri}/`)) return decodeURIComponent(uri.slice(store.uri.length + 1));
  throw new SpiralError(
    'path_outside_root',
    `Expected ${uri} to lie below ${store.uri}, whose index is to name its files. Give a folder above both as \`out\`.`,
    { details: { uri, out: store.uri } },
  );
}

/** The shards of the data set in `folder`, with their paths below `store`. */
async function partOf(store: ObjectStore, folder: string, signal: AbortSignal | undefined): Promise<WrittenShards> {
  const path = `${folder}/${indexName}`;
  const text = Buffer.from(await store.get(path, { signal })).toString();
  const { entries } = parseShards(text, `${store.uri}/${path}`);
  const moved = entries.map((entry) => below(folder, entry));
  const { shards } = parseShards(jsonText({ version: 2, shards: moved }), `${store.uri}/${path}`);
  const sizes = new Map<string, number>();
  for await (const { path: found, size } of store.list(`${folder}/`, { signal })) sizes.set(found, size);
  const lacking = shards.flatMap(storedFiles).find((file) => sizes.get(file.path) !== file.bytes);
  if (lacking === undefined) return { entries: moved, shards };
  const found = sizes.get(lacking.path);
  throw new SpiralError(
    found === undefined ? 'not_found' : 'corrupt_file',
    `Expected ${lacking.path} in ${store.uri} with ${lacking.bytes} bytes, found ${found === undefined ? 'none' : `${found}`}. Restore it, or write the part again.`,
    { details: { uri: store.uri, file: lacking.path, expected: lacking.bytes, found } },
  );
}

const fileKeys = ['raw_data', 'zip_data', 'raw_meta', 'zip_meta'];

/** `entry` with its files in `folder`; what it says in an order of its own stays in it. */
function below(folder: string, entry: ShardEntry): ShardEntry {
  const values = Object.entries(entry).map(([key, value]): [string, unknown] => {
    if (fileKeys.includes(key) && value !== null) {
      const file = value as { basename: string };
      return [key, { ...file, basename: `${folder}/${file.basename}` }];
    }
    // Names that are numbers would come first otherwise.
    if (key === 'columns')
      return [key, new Map(Object.entries(value as object).sort(([a], [b]) => compareCodePoints(a, b)))];
    return [key, value];
  });
  return Object.fromEntries(values);
}

/** An index that names files beside itself is no merged one: it would be lost. */
async function refuseOwnShards(target: WriterTarget, signal: AbortSignal | undefined): Promise<void> {
  const store = target.main;
  if ((await store.head(indexName, { signal })) === undefined) return;
  const text = Buffer.from(await store.get(indexName, { signal })).toString();
  const own = parseShards(text, `${store.uri}/${indexName}`)
    .shards.flatMap(storedFiles)
    .find(({ path }) => !path.includes('/'));
  if (own === undefined) return;
  throw new SpiralError(
    'already_exists',
    `Expected ${store.uri} to have no data set of its own, found the index of ${own.path} in it. Move that data set to a folder below.`,
    { details: { uri: store.uri, found: own.path } },
  );
}
