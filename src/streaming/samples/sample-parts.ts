import type { Schema } from 'apache-arrow';
import { blockSources, gatherBatch } from '../../arrow/gather.js';
import { rowRanges } from '../../arrow/ranges.js';
import { fromWire, toWire } from '../../core/error-wire.js';
import { isSpiralError } from '../../core/errors.js';
import { columnOf, isDamage } from '../../loader/bad-row.js';
import { type DamagedBlock, isReadable, type PlacedBlock } from '../../loader/placed-block.js';

/** Some neighbours of what was asked for as one: read, or none of them can be. */
export interface SamplePart {
  readonly block: PlacedBlock | DamagedBlock;
  readonly rows: number;
}

/** Rows of a shard. */
export interface Stretch {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Rows `from … to` of a shard, by `read`, and after a first failure by `readAgain`: where they are damaged, which samples
 * are is found by halves. What is damaged and names no row is so as a whole.
 */
export async function readParts(
  { shard, from, to }: Stretch,
  read: (from: number, to: number) => Promise<PlacedBlock>,
  readAgain: (from: number, to: number) => Promise<PlacedBlock>,
): Promise<SamplePart[]> {
  try {
    return [{ block: await read(from, to), rows: to - from }];
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (to - from === 1 || !namesRow(error)) return [lost({ shard, from, to }, error)];
    const middle = (from + to) >> 1;
    const first = await readParts({ shard, from, to: middle }, readAgain, readAgain);
    return [...first, ...(await readParts({ shard, from: middle, to }, readAgain, readAgain))];
  }
}

/** Rows that `error` says cannot be read. */
export function lost({ shard, from, to }: Stretch, error: unknown): SamplePart {
  const place = { shard, from, rows: undefined };
  return { block: { place, column: columnOf(error), error: toWire(error) }, rows: to - from };
}

function namesRow(error: unknown): boolean {
  return isSpiralError(error) && typeof error.details['row'] === 'number';
}

/** Rows `rows` of the block that falls into `parts`, ascending, copied out of them. */
export function pickedParts(schema: Schema, parts: readonly SamplePart[], rows: Int32Array): SamplePart[] {
  const picked: SamplePart[] = [];
  let [at, before] = [0, 0];
  for (const { block, rows: length } of parts) {
    const first = at;
    while (at < rows.length && rows[at]! < before + length) at++;
    const own = rows.subarray(first, at).map((row) => row - before);
    if (isReadable(block) && own.length > 0) {
      const sources = blockSources(schema, [block.columns]);
      const { children } = gatherBatch(schema, sources, rowRanges(new Int32Array(own.length), own)).data;
      picked.push({ block: { columns: children, place: { ...block.place, rows: own } }, rows: own.length });
    } else if (!isReadable(block)) {
      for (const row of own) {
        picked.push({ block: { ...block, place: { ...block.place, from: block.place.from + row } }, rows: 1 });
      }
    }
    before += length;
  }
  return picked;
}

/**
 * The blocks of all `read`, and, written to `source` and `start`, which of these and which row of it is meant by row
 * `start[i]` of `read[source[i]]`.
 *
 * @throws the error of damaged rows, unless `skips`.
 */
export function joinParts(
  read: readonly (readonly SamplePart[])[],
  source: Int32Array,
  start: Int32Array,
  skips: boolean,
): (PlacedBlock | DamagedBlock)[] {
  const blocks: (PlacedBlock | DamagedBlock)[] = [];
  const bases = read.map((parts) => blocks.push(...parts.map(({ block }) => block)) - parts.length);
  const damage = skips ? undefined : blocks.find((block): block is DamagedBlock => !isReadable(block));
  if (damage !== undefined) throw fromWire(damage.error);
  if (blocks.length === read.length) return blocks;
  for (let at = 0; at < source.length; at++) {
    const parts = read[source[at]!]!;
    let [part, row] = [0, start[at]!];
    while (row >= parts[part]!.rows) row -= parts[part++]!.rows;
    [source[at], start[at]] = [bases[source[at]!]! + part, row];
  }
  return blocks;
}
