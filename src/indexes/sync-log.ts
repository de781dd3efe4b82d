import { isSpiralError, SpiralError } from '../core/errors.js';
import { indexGraceMs } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from '../table/log.js';
import { storedObject, storedText, storedWhole } from '../table/stored-value.js';
import type { KeyPieces } from './key-pieces.js';
import { decodeRanges, encodeRanges } from './ranges-file.js';

/** What an index was made of last. */
export interface KeySpaceSync {
  /** Names the sync, and its file. */
  readonly sync: string;
  /** The version of the table, and when that was committed, in microseconds since the epoch. */
  readonly version: number;
  readonly asof: number;
  /** Ranges, and rows in them. */
  readonly ranges: number;
  readonly rows: number;
  /** Bytes of the file with the ranges. */
  readonly bytes: number;
  /** When it was made, in microseconds since the epoch. */
  readonly made: number;
}

/** The folder of the files with ranges, in that of the index. */
const rangesFolder = 'ranges';
const namePattern = /^[A-Za-z0-9_]{1,64}$/;

/**
 * The syncs of one index: a log, the newest entry of which counts, and a file with ranges for each. The file is there before
 * its entry, so of two syncs at once each is whole and the later entry holds.
 */
export class SyncLog {
  readonly #index: string;
  readonly #store: ObjectStore;
  readonly #log: Log<KeySpaceSync>;

  /** @param store the folder of the index. */
  constructor(store: ObjectStore, index: string) {
    this.#store = store;
    this.#index = index;
    this.#log = new Log(store, 'log', parseSync);
  }

  /** The newest sync; undefined where there was none. @throws SpiralError `corrupt_log`. */
  async newest(): Promise<KeySpaceSync | undefined> {
    return (await this.#log.entries()).at(-1);
  }

  /**
   * The ranges of `sync`.
   *
   * @throws SpiralError `corrupt_log` where the file is damaged or missing; `not_found` where later syncs took its place so
   * long ago that it is gone.
   */
  async read(sync: KeySpaceSync, granularity: number, signal?: AbortSignal): Promise<KeyPieces> {
    const path = rangesPath(sync.sync);
    const file = `${this.#store.uri}/${path}`;
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.get(path, { signal });
    } catch (error) {
      if (!isSpiralError(error, 'not_found')) throw error;
      if ((await this.newest())?.sync !== sync.sync) {
        throw new SpiralError(
          'not_found',
          `The ranges of this index as of ${sync.asof} are gone, as it was synced again since. Open the index again.`,
          { details: { index: this.#index, asof: sync.asof, file }, cause: error },
        );
      }
      throw new SpiralError(
        'corrupt_log',
        `Expected ${file}, the ranges of an index, found none. Sync the index again.`,
        {
          details: { file },
          cause: error,
        },
      );
    }
    return decodeRanges(bytes, { index: this.#index, sync: sync.sync, granularity, file });
  }

  /**
   * Makes `pieces` the ranges of the index, unless `supersedes` says of the newest sync by then that it is to stay; gives the
   * sync that holds.
   *
   * @throws SpiralError as `Log.commit`; no sync is then half there.
   */
  async add(
    pieces: KeyPieces,
    { version, asof }: Pick<KeySpaceSync, 'version' | 'asof'>,
    supersedes: (newest: KeySpaceSync) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<KeySpaceSync> {
    const name = uniqueId('');
    const bytes = encodeRanges(this.#index, name, pieces);
    const made: KeySpaceSync = {
      sync: name,
      version,
      asof,
      ranges: pieces.ranges.length,
      rows: pieces.rows.reduce((sum, rows) => sum + rows, 0),
      bytes: bytes.byteLength,
      made: wallMicros(),
    };
    const path = rangesPath(name);
    await this.#store.put(path, bytes, { signal });
    let stays: KeySpaceSync | undefined;
    const number = await this.#log.commit(
      ({ sync }) => sync === name,
      (entries) => {
        const newest = entries.at(-1);
        stays = newest !== undefined && !supersedes(newest) ? newest : undefined;
        return stays === undefined ? made : undefined;
      },
    );
    if (number === undefined) {
      await this.#store.delete(path).catch(() => {});
      return stays!;
    }
    // What is not deleted now is deleted by the next sync.
    await this.#prune(number).catch(() => {});
    return made;
  }

  /** Deletes files that no sync has, or one that was superseded long ago, by the store's own clock. */
  async #prune(number: number): Promise<void> {
    const entries = await this.#log.entries();
    const clock = (await this.#store.head(this.#log.path(number)))?.modifiedMs;
    if (clock === undefined) return;
    const kept = new Set<string>();
    for (const [at, { sync }] of entries.entries()) {
      const next = entries[at + 1];
      if (next === undefined || next.made / 1000 >= clock - indexGraceMs) kept.add(rangesPath(sync));
    }
    for await (const { path, modifiedMs } of this.#store.list(`${rangesFolder}/`)) {
      if (modifiedMs < clock - indexGraceMs && !kept.has(path)) await this.#store.delete(path);
    }
  }
}

function parseSync(raw: unknown): KeySpaceSync {
  const entry = storedObject(raw, 'the entry');
  const whole = (key: string, min = 0): number => storedWhole(entry[key], `its ${key}`, min);
  const sync = storedText(entry['sync'], 'its sync');
  if (!namePattern.test(sync)) throw new SpiralError('corrupt_log', 'a sync without a name');
  return {
    sync,
    version: whole('version', 1),
    asof: whole('asof'),
    ranges: whole('ranges'),
    rows: whole('rows'),
    bytes: whole('bytes'),
    made: whole('made'),
  };
}

const rangesPath = (sync: string): string => `${rangesFolder}/${sync}`;
