import type { Schema } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { joinedRowIds } from './row-ids.js';
import type { RowsBatch } from './supply.js';

/** One batch out of `parts` that follow each other, which are drawn in different threads; at least one. */
export function joinedBatch(schema: Schema, parts: readonly RowsBatch[]): RowsBatch {
  const batches = parts.map(({ batch }) => batch);
  const sum = (of: (part: RowsBatch) => number): number => parts.reduce((all, part) => all + of(part), 0);
  let before = 0;
  const bad = parts.flatMap((part) => {
    const shift = before;
    before += rowsOf(part);
    return part.bad.map((row) => ({ ...row, at: row.at + shift }));
  });
  return {
    batch: gatherBatch(schema, batchSources(schema, batches), allRanges(batches.map(({ numRows }) => numRows))),
    rowIds: joinedRowIds(parts.map(({ rowIds }) => rowIds)),
    bad,
    bytes: sum(({ bytes }) => bytes),
    after: parts.at(-1)!.after,
    times: {
      readMs: sum(({ times }) => times.readMs),
      shuffleMs: sum(({ times }) => times.shuffleMs),
      mapMs: sum(({ times }) => times.mapMs),
    },
  };
}

/** Rows of `part`, skipped ones counted. */
export function rowsOf({ rowIds, bad }: Pick<RowsBatch, 'rowIds' | 'bad'>): number {
  return rowIds.length + bad.length;
}
