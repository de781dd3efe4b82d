import { createHash } from 'node:crypto';
import { isSpiralError } from '../core/errors.js';
import {
  batchBytesMax,
  mergeBatchesPerPiece,
  mergeEntriesBytesMax,
  mergeIndexesBytesMax,
  mergeIndexesMax,
  openedIdleMsMax,
} from '../core/limits.js';
import type { Semaphore } from '../core/semaphore.js';
import type { Verify } from '../core/verify.js';
import { readRows } from '../format/arrow-read.js';
import { corrupt } from '../format/corrupt.js';
import type { FileCache } from '../format/file-cache.js';
import type { ReadCounters } from '../format/stored-buffers.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, pathText } from '../table/column.js';
import { type EncodedKeys, encodeKeys, keyAt } from '../table/key-codec.js';
import { compareKeys, isStrictlyAscending } from '../table/key-compare.js';
import { type Lane, lanesOf } from '../table/key-lane.js';
import { type MergeEntries, type MergePiece, mergeKeys } from '../table/key-merge.js';
import { firstOf, isThere, type KeyRun, type KeySet } from '../table/key-run.js';
import type { LoadKeys } from '../table/lane-cursor.js';
import { type MergeBounds, MergeCache, MergeIndex } from './merge-index.js';
import { checkFile, setBytes } from './set-files.js';

/** What reading keys of a table needs. */
export interface KeyReading {
  readonly plan: { readonly keys: readonly Column[] };
  /** Where the files of each table are, by its number. */
  readonly stores: readonly ObjectStore[];
  readonly files: FileCache;
  readonly verify: Verify;
  readonly counters: ReadCounters;
  /** Bounds what is read of files at once. */
  readonly reads: Semaphore;
}

const bounds: MergeBounds = {
  indexes: { countMax: mergeIndexesMax, bytesMax: mergeIndexesBytesMax, idleMsMax: openedIdleMsMax },
  entriesBytesMax: mergeEntriesBytesMax,
};
const caches = new WeakMap<FileCache, MergeCache>();

/** What was merged of the files that `files` keeps open. */
function cacheOf(files: FileCache): MergeCache {
  let cache = caches.get(files);
  if (cache === undefined) {
    cache = new MergeCache(bounds);
    caches.set(files, cache);
  }
  return cache;
}

/**
 * How the rows of `run` are put together: once for all scans of a process, as its files never change.
 *
 * @throws SpiralError `corrupt_file` for keys that are not those of the log.
 */
export function mergeIndex(reading: KeyReading, run: KeyRun): Promise<MergeIndex> {
  const cache = cacheOf(reading.files);
  const verified = reading.verify !== 'never';
  const hash = createHash('sha256').update(`${reading.stores.map(({ uri }) => uri).join('\n')}\n${verified}`);
  for (const set of run.sets) {
    hash.update('\n');
    for (const { fragment, order, table } of set.layers) {
      const { version, commit, ordinal, deletes } = fragment;
      hash.update(`${fragment.files[0]!.path} ${commit} ${ordinal} ${version} ${order} ${deletes} ${table} `);
    }
  }
  return cache.index(hash.digest('hex'), async (keep) => {
    const lanes = lanesOf(run);
    const pieces: MergePiece[] = [];
    for await (const { piece, entries } of mergeKeys(lanes, loadKeys(reading), pieceRows(run, lanes))) {
      pieces.push(piece);
      if (entries !== undefined) keep(piece, entries);
    }
    return new MergeIndex(lanes, pieces, verified);
  });
}

/** The entries of a piece of `index`. */
export function pieceEntries(reading: KeyReading, index: MergeIndex, piece: MergePiece): Promise<MergeEntries> {
  return cacheOf(reading.files).entries(index, piece, loadKeys(reading));
}

/**
 * Rows of a piece: a few batches of each lane, so that most batches are used whole, and no more bytes than a record batch
 * may have. Follows from the log alone, as shards are cut by it.
 */
function pieceRows({ sets }: KeyRun, lanes: readonly Lane[]): number {
  let [rows, bytes, batchRows] = [0, 0, 1];
  for (const set of sets) {
    rows += firstOf(set).rows;
    bytes += setBytes(set);
    if (isThere(set)) batchRows = Math.max(batchRows, Math.min(firstOf(set).batchRows, firstOf(set).rows));
  }
  const fitting = Math.max(1, Math.floor(batchBytesMax / Math.max(1, bytes / rows)));
  // Each piece notes a place for each lane: with many lanes it must have the rows to make up for that.
  return Math.min(Math.max(batchRows * Math.min(lanes.length, mergeBatchesPerPiece), 2 * lanes.length), fitting);
}

function loadKeys({ plan, stores, files, verify, counters, reads }: KeyReading): LoadKeys {
  const names = plan.keys.map(({ path }) => pathText(path));
  return async (set, batch) => {
    const { files: stored, rows } = firstOf(set);
    const holder = stored.find(({ columns }) => columns.includes(plan.keys[0]!.id)) ?? stored[0]!;
    const file = await files.open(stores[set.layers[0]!.table]!, holder.path, holder.bytes);
    const columns = plan.keys.map(({ id }) => holder.columns.indexOf(id));
    checkFile(file, rows, columns, plan.keys);
    const { from, to } = batchSpan(set, batch);
    if (file.rowStarts[batch] !== from || file.rowStarts[batch + 1] !== to) {
      throw corrupt(file.where, `rows ${from} to ${to} as batch ${batch}`, 'others');
    }
    const data = await reads.run(() => readRows(file, batch, 0, to - from, { columns, verify, counters }));
    let keys: EncodedKeys;
    try {
      keys = encodeKeys(data, names);
    } catch (error) {
      if (!isSpiralError(error, 'invalid_key')) throw error;
      throw corrupt(file.where, `keys without nulls in batch ${batch}`, error.message, error, names[0]);
    }
    checkOrder(set, batch, keys, file.where);
    return keys;
  };
}

function batchSpan(set: KeySet, batch: number): { from: number; to: number } {
  const { rows, batchRows } = firstOf(set);
  return { from: batch * batchRows, to: Math.min(rows, (batch + 1) * batchRows) };
}

/** Merging goes by the keys of the log where it reads none: those of a file must be the same. */
function checkOrder(set: KeySet, batch: number, keys: EncodedKeys, where: string): void {
  const { batchKeys, keyMax } = firstOf(set);
  const next = batchKeys[batch + 1];
  const [first, last] = [keyAt(keys, 0), keyAt(keys, keys.length - 1)];
  const ends = next === undefined ? compareKeys(last, keyMax) === 0 : compareKeys(last, next) < 0;
  if (compareKeys(first, batchKeys[batch]!) === 0 && ends && isStrictlyAscending(keys) < 0) return;
  throw corrupt(where, `the keys that the log tells of in batch ${batch}`, 'others, or keys out of order');
}
