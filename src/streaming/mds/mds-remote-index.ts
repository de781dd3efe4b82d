import { createHash } from 'node:crypto';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { type MdsShard, parseMdsIndex } from '../../format/mds-index.js';
import type { ObjectInfo, ObjectStore } from '../../storage/store.js';
import { cacheOwnFolder } from '../cache/cache-files.js';
import { Download, type DownloadCounts, type DownloadSettings } from './download.js';

const indexName = 'index.json';
const notePath = `${cacheOwnFolder}/index.note`;

/** The index of a data set. */
export interface MdsIndex {
  readonly shards: readonly MdsShard[];
  /** Of its bytes. */
  readonly sha256: string;
  /** As it stands in messages. */
  readonly where: string;
  /** What the store knew of it. */
  readonly info: ObjectInfo;
}

/**
 * The index of the data set in `store`. With `copies`, a copy is kept there as `index.json`, and used as long as the store's
 * has the same size, time and ETag, which is asked each time.
 *
 * @throws SpiralError `not_found`, `corrupt_file`, as `parseMdsIndex`, and what a store rejects with.
 */
export async function readMdsIndex(
  store: ObjectStore,
  copies: ObjectStore | undefined,
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<MdsIndex> {
  const where = `${store.uri}/${indexName}`;
  const counts: DownloadCounts = { bytes: 0, requests: 0, retries: 0 };
  const download = new Download(store, settings, counts);
  const tries = download.tries(signal);
  for (;;) {
    try {
      const info = await download.inTime(indexName, (inTime) => store.head(indexName, { signal: inTime }), signal);
      if (info === undefined) throw noIndex(store.uri);
      const bytes = (await copied(copies, where, info)) ?? (await fetched(download, info.size, signal));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const shards = parseMdsIndex(bytes.toString('utf8'), where);
      if (copies !== undefined) await keep(copies, bytes, noteOf(where, info, sha256));
      return { shards, sha256, where, info };
    } catch (error) {
      if (!isSpiralError(error, 'unavailable')) throw error;
      await tries.again(error);
    }
  }

  async function fetched(from: Download, size: number, until: AbortSignal): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of from.pieces(indexName, size, tries, from.turn(), until)) pieces.push(piece);
    return Buffer.concat(pieces);
  }
}

/** Whether the store has another index than `index` by now; false where it cannot be told. */
export async function isIndexChanged(
  store: ObjectStore,
  { info }: MdsIndex,
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const download = new Download(store, settings, { bytes: 0, requests: 0, retries: 0 });
  try {
    const now = await download.inTime(indexName, (inTime) => store.head(indexName, { signal: inTime }), signal);
    return now === undefined || now.etag !== info.etag || now.size !== info.size;
  } catch {
    return false;
  }
}

async function copied(copies: ObjectStore | undefined, where: string, info: ObjectInfo): Promise<Buffer | undefined> {
  if (copies === undefined) return undefined;
  try {
    const note = Buffer.from(await copies.get(notePath)).toString('utf8');
    const bytes = Buffer.from(await copies.get(indexName));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return note === noteOf(where, info, sha256) ? bytes : undefined;
  } catch (error) {
    if (isSpiralError(error, 'not_found')) return undefined;
    throw error;
  }
}

/** The note is last: with another index beside it, it is of none. */
async function keep(copies: ObjectStore, bytes: Buffer, note: string): Promise<void> {
  const before = await copies.head(notePath);
  const known = before === undefined ? undefined : Buffer.from(await copies.get(notePath)).toString('utf8');
  if (known === note && (await copies.head(indexName))?.size === bytes.length) return;
  await copies.put(indexName, bytes);
  await copies.put(notePath, Buffer.from(note));
}

function noteOf(where: string, { size, modifiedMs, etag }: ObjectInfo, sha256: string): string {
  return `${JSON.stringify({ of: where, size, modifiedMs, etag, sha256 })}\n`;
}

function noIndex(uri: string): SpiralError {
  return new SpiralError(
    'not_found',
    `Expected an MDS data set at ${uri}, found no ${indexName}. Check the place and the split; a writer puts the index last.`,
    { details: { uri, path: indexName } },
  );
}
