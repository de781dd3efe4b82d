import { partitionBytesMax } from '../core/limits.js';
import { type Column, groupOf } from './column.js';
import { compareKeys } from './key-compare.js';
import type { Fragment, TableVersion } from './version.js';

/** Fragments that lie on one another: no key of another fragment lies within their keys. */
interface Cluster {
  readonly fragments: readonly Fragment[];
  /** Whether all have the very same keys, and none deletes them. */
  readonly aligned: boolean;
  /** Bytes of the files that hold cells which count. */
  readonly bytes: number;
}

/** A file of a fragment, its columns by number. */
type FragmentFile = Fragment['files'][number];

/** What one part of a compaction puts in the place of what. */
export interface PlannedRewrite {
  /** In the order of the version; no other fragment lies within their keys. */
  readonly inputs: readonly Fragment[];
  /** The columns to write anew, the key first; the key alone where nothing but references changes. */
  readonly columns: readonly Column[];
  /** Files of inputs, all over the same keys, that hold the rest and stay as they are. */
  readonly reused: readonly FragmentFile[];
  /** Bytes of files that are read for it, about what is written. */
  readonly bytes: number;
}

/** Bytes of a rewrite that keeps files of its inputs, and therefore is one fragment: more are cut anew. */
const heldBytesMax = 2 * partitionBytesMax;

/**
 * What compaction does to `version`, in the order of keys. Neighbours that are small become fragments of up to `target`
 * bytes; fragments that overlap become ones that do not; of layers over the same keys each column group becomes one file,
 * and a group that is one already stays (so new labels never rewrite images). Nothing where all that is so already.
 */
export function planCompaction(version: TableVersion, target: number = partitionBytesMax): PlannedRewrite[] {
  const columns = new Map(version.columns.map((column) => [column.id, column]));
  const rewrites: PlannedRewrite[] = [];
  let neighbours: Cluster[] = [];
  let size = 0;
  const flush = (): void => {
    const planned =
      neighbours.length > 1 ? joined(neighbours, version) : neighbours.map((one) => own(one, version, columns));
    for (const rewrite of [planned].flat()) if (rewrite !== undefined) rewrites.push(rewrite);
    [neighbours, size] = [[], 0];
  };
  for (const cluster of clustersOf(version.fragments, columns)) {
    if (size + cluster.bytes > target) flush();
    neighbours.push(cluster);
    size += cluster.bytes;
    // Half a target and more is no small fragment: joining it would write much to save little.
    if (cluster.bytes * 2 >= target) {
      const last = neighbours.pop()!;
      flush();
      neighbours.push(last);
      flush();
    }
  }
  flush();
  return rewrites;
}

function clustersOf(fragments: readonly Fragment[], columns: ReadonlyMap<number, Column>): Cluster[] {
  const places = new Map(fragments.map((fragment, at) => [fragment, at]));
  const sorted = [...fragments].sort((a, b) => compareKeys(a.keyMin, b.keyMin));
  const clusters: Cluster[] = [];
  for (let from = 0; from < sorted.length; ) {
    let { keyMax } = sorted[from]!;
    let to = from + 1;
    for (; to < sorted.length && compareKeys(sorted[to]!.keyMin, keyMax) <= 0; to++) {
      if (compareKeys(keyMax, sorted[to]!.keyMax) < 0) ({ keyMax } = sorted[to]!);
    }
    const members = sorted.slice(from, to).sort((a, b) => places.get(a)! - places.get(b)!);
    const [first] = members;
    const aligned = members.every(
      ({ deletes, rows, keyDigest }) =>
        !deletes && rows === first!.rows && Buffer.compare(keyDigest, first!.keyDigest) === 0,
    );
    const counted = aligned ? new Set(newestFiles(members, columns).values()) : members.flatMap(({ files }) => files);
    let bytes = 0;
    for (const file of counted) bytes += file.bytes;
    clusters.push({ fragments: members, aligned, bytes });
    from = to;
  }
  return clusters;
}

/** Of fragments over the same keys, oldest first: the file whose cells count of each column there is. */
function newestFiles(fragments: readonly Fragment[], columns: ReadonlyMap<number, Column>): Map<number, FragmentFile> {
  const files = new Map<number, FragmentFile>();
  for (const fragment of fragments) {
    for (const file of fragment.files) for (const id of file.columns) if (columns.has(id)) files.set(id, file);
  }
  return files;
}

/** A rewrite of several clusters as one stretch of rows. */
function joined(clusters: readonly Cluster[], version: TableVersion): PlannedRewrite {
  const members = new Set(clusters.flatMap(({ fragments }) => fragments));
  const stored = new Set([...members].flatMap(({ files }) => files.flatMap(({ columns }) => columns)));
  return {
    inputs: version.fragments.filter((fragment) => members.has(fragment)),
    columns: version.columns.filter(({ id }) => stored.has(id)),
    reused: [],
    bytes: clusters.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** A rewrite of one cluster; undefined where nothing would be better for it. */
function own(
  cluster: Cluster,
  version: TableVersion,
  columns: ReadonlyMap<number, Column>,
): PlannedRewrite | undefined {
  if (!cluster.aligned) return joined([cluster], version);
  if (cluster.fragments.length === 1) return undefined;
  const keyIds = new Set(version.keys.map(({ id }) => id));
  const groups = new Map<string, Set<FragmentFile>>();
  for (const [id, file] of newestFiles(cluster.fragments, columns)) {
    // Every layer brings a copy of the key, which makes no group spread.
    if (keyIds.has(id)) continue;
    const group = groupOf(columns.get(id)!);
    const files = groups.get(group);
    if (files === undefined) groups.set(group, new Set([file]));
    else files.add(file);
  }
  const whole = [...groups.values()].filter((files) => files.size === 1).map(([file]) => file!);
  const spread = [...groups].filter(([, files]) => files.size > 1);
  const reused = [...new Set(whole)];
  const written = new Set(spread.map(([group]) => group));
  const live = new Set([...groups.values()].flatMap((files) => [...files]));
  // Cells that are covered or dropped, or a layer of keys alone: references go, and with vacuum the files.
  const idle = cluster.fragments.some(
    ({ files }) =>
      files.every((file) => !live.has(file)) ||
      files.some((file) => !live.has(file) && file.columns.some((id) => !keyIds.has(id))),
  );
  if (spread.length === 0 && !idle) return undefined;
  const bytes = sum(spread.flatMap(([, files]) => [...files]));
  if (bytes > heldBytesMax) return joined([cluster], version);
  return {
    inputs: cluster.fragments,
    columns: version.columns.filter((column) => keyIds.has(column.id) || written.has(groupOf(column))),
    reused,
    bytes,
  };
}

function sum(files: readonly FragmentFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}
