import { isSpiralError } from '../core/errors.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectInfo } from '../storage/store.js';
import type { Commit } from './operation.js';
import type { TableStore } from './table-store.js';
import type { Upkeep } from './upkeep-change.js';
import { isKept } from './upkeep-log.js';
import { type TableVersion, versionFiles } from './version.js';

/** What a vacuum keeps. */
export interface VacuumBounds {
  /** Every version that was the newest at some time in the last so many milliseconds is kept. */
  readonly retainMs: number;
  /** Files younger than this stay, whatever they are. */
  readonly graceMs: number;
}

/** What a vacuum did. */
export interface VacuumResult {
  /** Versions from here on are kept, and below those with a tag. */
  readonly floor: number;
  /** Data files that were deleted, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Entries of the log that were deleted. */
  readonly entries: number;
}

/** Deletions under way at once. */
const deletesAtOnce = 16;
/** Times a vacuum begins anew because of others. */
const triesMax = 5;

/**
 * Deletes what no kept version of `table` needs: data files, entries of the log, checkpoints. In this order, so that after
 * a crash at any step every kept version can be read, and the next vacuum does the rest:
 *
 * 1. The floor is raised, by an entry beside the tags: from here on what lies below is gone for readers, and no tag can
 *    be put on it.
 * 2. Checkpoints of the floor and of tagged versions are written to stay.
 * 3. Data files, then entries of the log from the first on, then other checkpoints are deleted, none within the grace
 *    period by the store's own clock.
 *
 * Readers of kept versions notice nothing.
 */
export async function vacuumTable(table: TableStore, bounds: VacuumBounds): Promise<VacuumResult> {
  for (let tries = 1; ; tries++) {
    try {
      return await vacuumOnce(table, bounds);
    } catch (error) {
      // Another vacuum went further meanwhile, or a tag was taken away.
      if (tries === triesMax || !isSpiralError(error, 'version_vacuumed')) throw error;
    }
  }
}

async function vacuumOnce(table: TableStore, { retainMs, graceMs }: VacuumBounds): Promise<VacuumResult> {
  const newest = await table.latest();
  // Commits in one millisecond run ahead of the clock.
  const keepFrom = Math.max(newest.created, Math.max(wallMicros(), newest.time) - retainMs * 1000);
  const wanted = keepFrom >= newest.time ? newest : await heldAt(table, keepFrom);
  const stamp = await table.upkeep.commit((upkeep) => {
    const raised = wanted !== undefined && wanted.version > upkeep.floor;
    const [floor, floorTime] = raised ? [wanted.version, wanted.time] : [upkeep.floor, upkeep.floorTime];
    if (floor === 0) return undefined;
    return { kind: 'vacuum', floor, floorTime, made: wallMicros(), author: table.author };
  });
  const upkeep = await table.upkeep.now();
  const clock = stamp === undefined ? undefined : await table.store.head(stamp);
  const before = (clock?.modifiedMs ?? wallMicros() / 1000) - graceMs;
  const kept = await keptVersions(table, upkeep);
  if (upkeep.floor > 1) {
    for (const version of kept) await table.checkpoints.keep(version);
    await table.log.sumUp(upkeep.floor);
  }
  const data = await deleteData(table, kept, upkeep, before);
  const entries = await deleteEntries(table, upkeep.floor, before);
  await deleteCheckpoints(table, upkeep, before);
  return { floor: Math.max(1, upkeep.floor), ...data, entries };
}

/** The version at `time`, unless an earlier vacuum removed it. */
async function heldAt(table: TableStore, time: number): Promise<TableVersion | undefined> {
  const { floorTime } = await table.upkeep.now();
  return time < floorTime ? undefined : table.asof(time);
}

/** The floor, and every tagged version below it. */
async function keptVersions(table: TableStore, { floor, tags }: Upkeep): Promise<TableVersion[]> {
  const numbers = new Set([Math.max(1, floor)]);
  for (const { version } of tags.values()) if (version < floor) numbers.add(version);
  return Promise.all(Array.from(numbers, (version) => table.at(version)));
}

async function deleteData(
  table: TableStore,
  kept: readonly TableVersion[],
  { floor }: Upkeep,
  before: number,
): Promise<{ files: number; bytes: number }> {
  const needed = new Set<string>();
  for (const version of kept) for (const { path } of versionFiles(version)) needed.add(path);
  let read = Math.max(1, floor);
  const readOn = async (): Promise<void> => {
    const { version } = await table.latest();
    for (const commit of await commitsBetween(table, read, version)) addFiles(commit, needed);
    read = version;
  };
  await readOn();
  const idle: ObjectInfo[] = [];
  for await (const info of table.store.list('data/')) {
    if (!needed.has(info.path) && info.modifiedMs < before) idle.push(info);
  }
  // What was committed since the first look is not idle, however old its files are.
  await readOn();
  const doomed = idle.filter(({ path }) => !needed.has(path));
  await deleteAll(table, doomed);
  return { files: doomed.length, bytes: doomed.reduce((sum, { size }) => sum + size, 0) };
}

/** The commits of versions `from + 1 … to`. */
async function commitsBetween(table: TableStore, from: number, to: number): Promise<readonly Commit[]> {
  const tail = await table.log.tailUpTo(to);
  if (tail !== undefined && tail.base <= from) return tail.entries.slice(from - tail.base);
  return table.log.read(from + 1, to);
}

function addFiles({ operations }: Commit, paths: Set<string>): void {
  for (const operation of operations) {
    if (operation.kind === 'create' || operation.kind === 'drop') continue;
    const fragments =
      operation.kind === 'compact' ? operation.rewrites.flatMap((rewrite) => rewrite.fragments) : operation.fragments;
    for (const { files } of fragments) for (const { path } of files) paths.add(path);
  }
}

/** Deletes entries below `floor`. Readers who look for one of them find the floor above it, and begin there. */
async function deleteEntries(table: TableStore, floor: number, before: number): Promise<number> {
  const old: ObjectInfo[] = [];
  const end = table.log.path(floor);
  for await (const info of table.store.list(`${table.log.folder}/`)) {
    if (info.path >= end) break;
    if (info.modifiedMs < before) old.push(info);
  }
  await deleteAll(table, old);
  return old.length;
}

/** Deletes checkpoints of versions that are not kept, and all but the one to stay of each below the floor. */
async function deleteCheckpoints(table: TableStore, upkeep: Upkeep, before: number): Promise<void> {
  const idle: { path: string }[] = [];
  for await (const { path, version, modifiedMs, kept } of table.checkpoints.files()) {
    if (modifiedMs >= before || version > upkeep.floor) continue;
    if (kept ? !isKept(upkeep, version) : version < upkeep.floor) idle.push({ path });
  }
  await deleteAll(table, idle);
}

async function deleteAll(table: TableStore, doomed: readonly { readonly path: string }[]): Promise<void> {
  for (let from = 0; from < doomed.length; from += deletesAtOnce) {
    const some = doomed.slice(from, from + deletesAtOnce);
    const done = await Promise.allSettled(some.map(({ path }) => table.store.delete(path)));
    const failed = done.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
