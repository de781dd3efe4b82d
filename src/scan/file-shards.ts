import { SpiralError, shown } from '../core/errors.js';
import { stretchAt } from '../core/search.js';
import { type Segment, Shard } from '../sharding/shard.js';
import { encodeKeyValues } from '../table/key-values.js';
import { formatFacts } from './file-format.js';
import { fileKeySchema } from './file-plan.js';
import type { OpenFiles } from './open-files.js';
import type { FileRecipe } from './recipe.js';
import { checkOrigins } from './shard-origin.js';

const types = fileKeySchema.fields.map(({ type }) => type);
const names = fileKeySchema.names as string[];

/**
 * The shards of `files`: a group each where groups are meant to be read by themselves (Parquet), else as many groups of one
 * file as make about `bytesMax` bytes. In key order, contiguous, and together every row.
 */
export function fileShards(files: OpenFiles, bytesMax: number): Shard[] {
  const { groupsAreShards } = formatFacts(files.set.format);
  const segments: Segment[] = [];
  for (const [part, { file, rowStarts }] of files.files.entries()) {
    let [from, bytes] = [0, 0];
    for (const [at, group] of file.groups.entries()) {
      bytes += group.bytes;
      const next = file.groups[at + 1];
      const isCut = groupsAreShards || next?.beginsShard === true;
      if (next !== undefined && !isCut && bytes + next.bytes <= bytesMax) continue;
      const to = rowStarts[at + 1]!;
      segments.push({ part, from, to });
      [from, bytes] = [to, 0];
    }
  }
  const keys = segments.map(({ part, from }) => fileKeyAt(files, part, from));
  const last = segments.at(-1);
  // The last shard ends behind its last row, as if another one came.
  if (last !== undefined) keys.push(fileKeyAt(files, last.part, last.to));
  return segments.map((segment, at) => {
    return new Shard({ begin: keys[at]!, end: keys[at + 1]! }, segment.to - segment.from, [segment]);
  });
}

/** The end of the group that holds physical row `row` of `shard`. */
export function groupEnd(files: OpenFiles, shard: Shard, row: number): number {
  let start = 0;
  for (const { part, from, to } of shard.segments) {
    const end = start + to - from;
    if (row < end) {
      const { rowStarts } = files.files[part]!;
      const group = stretchAt(rowStarts, from + row - start);
      return start + Math.min(to, rowStarts[group + 1]!) - from;
    }
    start = end;
  }
  return start;
}

/** @throws SpiralError `invalid_shards` for anything but shards of `files`. */
export function checkFileShards(recipe: FileRecipe, files: OpenFiles, shards: readonly Shard[]): void {
  if (!Array.isArray(shards) || !shards.every((shard) => shard instanceof Shard)) {
    throw new SpiralError(
      'invalid_shards',
      `Expected an array of shards, got ${shown(shards)}. Take them from \`scan.shards()\`, or make them of their JSON with ` +
        '`Shard.fromJSON`.',
      { details: { found: shown(shards) } },
    );
  }
  checkOrigins(recipe, files.set.root, shards);
  for (const [at, shard] of shards.entries()) {
    for (const segment of shard.segments) {
      if (isThere(files, shard, segment)) continue;
      const { part, from, to } = segment;
      throw new SpiralError(
        'invalid_shards',
        `Expected shards of the files in ${files.set.root}, but shard ${at} names rows ${from} to ${to} of file number ${part}, ` +
          'which are not there. Take shards from this scan, or resume the scan they are of.',
        { details: { root: files.set.root, shard: at, part, from, to } },
      );
    }
  }
}

/** Whether `segment` is rows of `files`, and rows of the keys that `shard` is said to hold. */
function isThere(files: OpenFiles, { keyRange: { begin, end } }: Shard, { part, from, to }: Segment): boolean {
  const rows = files.files[part]?.rowStarts.at(-1);
  if (rows === undefined || ![from, to].every(Number.isInteger) || from < 0 || from > to || to > rows) return false;
  if (begin !== null && Buffer.compare(begin, fileKeyAt(files, part, rows)) > 0) return false;
  return end === null || Buffer.compare(end, fileKeyAt(files, part, 0)) > 0;
}

/** The encoded key of row `row` of file number `part`. */
export function fileKeyAt(files: OpenFiles, part: number, row: number): Uint8Array {
  return encodeKeyValues([files.files[part]!.pinned.path, BigInt(row)], types, names);
}
