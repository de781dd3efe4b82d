import { isSpiralError } from '../core/errors.js';
import { stretchAt } from '../core/search.js';
import { type Shard, segmentsWithin } from '../sharding/shard.js';
import type { FileReading } from './file-reader.js';

import type { Stretch } from './set-reader.js';

/** The rows between `from` and `to` of `shard` where groups begin, and where bad rows do and end in formats that tell them. */
export async function fileCuts(reading: FileReading, shard: Shard, from: number, to: number): Promise<number[]> {
  const cuts = new Set<number>();
  let start = from;
  for (const piece of segmentsWithin(shard, from, to)) {
    const { rowStarts } = reading.files.files[piece.part]!;
    const shift = start - piece.from;
    for (let row = piece.from; row < piece.to; ) {
      const group = stretchAt(rowStarts, row);
      const end = Math.min(piece.to, rowStarts[group + 1]!);
      cuts.add(row + shift);
      for (const bad of await badRows(reading, piece.part, group, { from: row, to: end })) {
        cuts.add(bad + shift);
        cuts.add(bad + 1 + shift);
      }
      row = end;
    }
    start += piece.to - piece.from;
  }
  return [...cuts].filter((cut) => cut > from && cut < to);
}

/** Those of rows `from … to` of a file, all in `group`, that cannot be read; none where its format cannot tell. */
async function badRows(
  { plan, files, counts }: FileReading,
  number: number,
  group: number,
  { from, to }: Stretch,
): Promise<number[]> {
  const { file, columns, rowStarts } = files.files[number]!;
  const own = plan.all.filter(({ id }) => id < plan.fileId).map(({ id }) => columns[id]!);
  const bad: number[] = [];
  const first = rowStarts[group]!;
  for (let row = from; row < to && file.readRows !== undefined; ) {
    try {
      await file.readRows(group, row - first, to - first, own, { counters: counts.read });
      break;
    } catch (error) {
      const found = isSpiralError(error, 'corrupt_file') ? error.details['row'] : undefined;
      if (typeof found !== 'number' || found < row || found >= to) break;
      bad.push(found);
      row = found + 1;
    }
  }
  return bad;
}
