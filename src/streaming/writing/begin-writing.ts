import { SpiralError } from '../../core/errors.js';
import type { WriterTarget } from './writer-target.js';
import {
  checkSettings,
  firstShards,
  indexText,
  noShards,
  parseShards,
  storedFiles,
  type WrittenShards,
} from './written-shards.js';

/** The index of a data set, which makes it one. */
export const indexName = 'index.json';
/** Beside the shards of a data set while it is written: the index of those that are whole. No `.json`, which others would read. */
export const checkpointName = 'writer.checkpoint';

/** What a writer does with a folder that is not empty. */
export type BeginMode = 'refuse' | 'replace' | 'resume';

/** What a writer begins behind. */
export interface Beginning {
  readonly kept: WrittenShards;
  /** Whether an index tells all of them. */
  readonly isIndexed: boolean;
}

/** Names of files that writers make beside an index. */
const shardName = /^shard\.(\d{5,})\.(mds|json|csv|tsv|xsv)(\.meta)?(\.(br|bz2|gz|snappy|zstd))?$/;

/**
 * Makes `target` ready to be written to, and gives the shards in it that stay.
 *
 * @throws SpiralError `already_exists` where it is not empty and `mode` is 'refuse', or another writer is at work in it;
 * `state_mismatch`, `not_found`, `corrupt_file` for what cannot be gone on with.
 */
export async function beginWriting(
  target: WriterTarget,
  settings: Readonly<Record<string, unknown>>,
  mode: BeginMode,
  signal: AbortSignal | undefined,
): Promise<Beginning> {
  const objects = await target.objects(signal);
  const found = [...new Set(objects.flatMap((of) => [...of.keys()]))];
  if (mode === 'refuse' && found.length > 0) throw notEmpty(target, found);
  if (mode === 'replace') await clear(target, found, signal);
  if (mode === 'resume') {
    const beginning = await keptShards(target, settings, objects, signal);
    const names = new Set(beginning.kept.shards.flatMap(storedFiles).map(({ path }) => path));
    for (const path of found) {
      if (shardName.test(path) && !names.has(path)) await target.delete(path, signal);
    }
    return beginning;
  }
  const claim = Buffer.from(indexText([]));
  if (await target.main.putIfAbsent(checkpointName, claim, { signal })) {
    return { kept: noShards, isIndexed: false };
  }
  throw notEmpty(target, [checkpointName]);
}

function notEmpty(target: WriterTarget, found: readonly string[]): SpiralError {
  return new SpiralError(
    'already_exists',
    `Expected ${target.uri} to be empty, found ${found.slice(0, 3).join(', ')}${found.length > 3 ? ' and more' : ''}. Give an empty folder, ` +
      '`resume: true` to go on behind the shards that are in it, or `existOk: true` to write the data set anew.',
    { details: { uri: target.uri, found: found.slice(0, 3) } },
  );
}

/** The number behind the last of `shards`, whose names may be anybody's. */
export function nextNumber({ shards }: WrittenShards): number {
  const numbers = shards.map(({ rawData }) => Number(shardName.exec(rawData.basename)?.[1] ?? -1));
  return numbers.reduce((most, number) => Math.max(most, number + 1), shards.length);
}

/** Deletes the data set in the folder, index first, and nothing else: its files are known by their names. */
async function clear(target: WriterTarget, found: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const nested = found.find((path) => path.endsWith(`/${indexName}`));
  if (nested !== undefined) {
    throw new SpiralError(
      'already_exists',
      `Expected ${target.uri} to hold one data set at most, found another in it (${nested}). Delete it yourself if it is to go.`,
      { details: { uri: target.uri, found: nested } },
    );
  }
  const isThere = new Set(found);
  const names = found.filter((path) => shardName.test(path));
  for (const path of [indexName, checkpointName, ...names]) {
    if (isThere.has(path)) await target.delete(path, signal);
  }
}

async function textOf(
  target: WriterTarget,
  objects: readonly Map<string, number>[],
  path: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (!objects.at(-1)!.has(path)) return undefined;
  return Buffer.from(await target.main.get(path, { signal })).toString();
}

/** The shards of the index or of the checkpoint, whichever tells more of one and the same data set. */
async function keptShards(
  target: WriterTarget,
  settings: Readonly<Record<string, unknown>>,
  objects: readonly Map<string, number>[],
  signal: AbortSignal | undefined,
): Promise<Beginning> {
  const [index, checkpoint] = await Promise.all(
    [indexName, checkpointName].map(async (name) => {
      const text = await textOf(target, objects, name, signal);
      return text === undefined ? undefined : parseShards(text, `${target.uri}/${name}`);
    }),
  );
  const [finished, begun] = [index ?? noShards, checkpoint ?? noShards];
  const shared = Math.min(finished.entries.length, begun.entries.length);
  const isOne = indexText(finished.entries.slice(0, shared)) === indexText(begun.entries.slice(0, shared));
  if (!isOne) {
    throw new SpiralError(
      'state_mismatch',
      `Expected ${target.uri}/${checkpointName} to go on from the index beside it, found other shards. Delete it to append to the data set.`,
      { details: { uri: target.uri } },
    );
  }
  for (const written of [finished, begun]) checkSettings(written, settings, target.uri);
  const whole = wholeShards(begun, objects);
  if (wholeShards(finished, objects) < finished.shards.length) {
    const { basename } = finished.shards[wholeShards(finished, objects)]!.rawData;
    throw new SpiralError(
      'not_found',
      `Expected all files of the data set ${target.uri} with the sizes that its index tells, found none such of ${basename}. Restore ` +
        'it, or write the data set anew with `existOk: true`.',
      { details: { uri: target.uri, file: basename } },
    );
  }
  if (whole > finished.shards.length) return { kept: firstShards(begun, whole), isIndexed: false };
  return { kept: finished, isIndexed: index !== undefined };
}

/** How many of the first shards have all their files, with their sizes, in each store. */
function wholeShards({ shards }: WrittenShards, objects: readonly Map<string, number>[]): number {
  const lacking = shards.findIndex((shard) =>
    storedFiles(shard).some(({ path, bytes }) => objects.some((of) => of.get(path) !== bytes)),
  );
  return lacking < 0 ? shards.length : lacking;
}
