/**
 * Which rows to take from which sources, in order: range `i` is `lengths[i]` rows (or `lengths` rows where that is one
 * number) of source `source[i]`, from its row `start[i]` on. The one argument of every copy in this folder: a shuffle
 * is `lengths: 1`, a slice one range, the child of a list column one range a list.
 */
export interface Ranges {
  readonly count: number;
  readonly source: Int32Array;
  readonly start: Int32Array;
  readonly lengths: number | Int32Array;
  /** Rows in all. */
  readonly total: number;
}

/** Ranges of one row each, with neighbours merged where that makes far fewer of them. */
export function rowRanges(source: Int32Array, row: Int32Array): Ranges {
  const count = row.length;
  let runs = count === 0 ? 0 : 1;
  for (let at = 1; at < count; at++) {
    if (row[at] !== row[at - 1]! + 1 || source[at] !== source[at - 1]) runs++;
  }
  if (runs * 4 > count) return { count, source, start: row, lengths: 1, total: count };
  const merged = { source: new Int32Array(runs), start: new Int32Array(runs), lengths: new Int32Array(runs) };
  let run = -1;
  for (let at = 0; at < count; at++) {
    if (at === 0 || row[at] !== row[at - 1]! + 1 || source[at] !== source[at - 1]) {
      run++;
      merged.source[run] = source[at]!;
      merged.start[run] = row[at]!;
    }
    merged.lengths[run]!++;
  }
  return { count: runs, ...merged, total: count };
}

/** Rows `from … to` of those that `ranges` name. */
export function sliceRanges(ranges: Ranges, from: number, to: number): Ranges {
  if (from === 0 && to === ranges.total) return ranges;
  const { source, start, lengths } = ranges;
  if (lengths === 1) {
    return {
      count: to - from,
      source: source.subarray(from, to),
      start: start.subarray(from, to),
      lengths,
      total: to - from,
    };
  }
  const sizeOf = (at: number): number => (typeof lengths === 'number' ? lengths : lengths[at]!);
  let first = 0;
  let before = 0;
  while (first < ranges.count && before + sizeOf(first) <= from) before += sizeOf(first++);
  let last = first;
  for (let end = before; end < to; ) end += sizeOf(last++);
  const sliced = {
    source: source.slice(first, last),
    start: start.slice(first, last),
    lengths: new Int32Array(last - first),
  };
  let at = before;
  for (let range = first; range < last; range++) {
    const [begin, end] = [Math.max(from, at), Math.min(to, at + sizeOf(range))];
    sliced.start[range - first]! += begin - at;
    sliced.lengths[range - first] = end - begin;
    at += sizeOf(range);
  }
  return { count: last - first, ...sliced, total: to - from };
}

/** The source and row of each of the rows that `ranges` name. */
export function expandRanges({ count, source, start, lengths, total }: Ranges): {
  source: Int32Array;
  row: Int32Array;
} {
  if (lengths === 1) return { source, row: start };
  const rows = { source: new Int32Array(total), row: new Int32Array(total) };
  let at = 0;
  for (let range = 0; range < count; range++) {
    const from = source[range]!;
    let row = start[range]!;
    for (let left = typeof lengths === 'number' ? lengths : lengths[range]!; left > 0; left--) {
      rows.source[at] = from;
      rows.row[at++] = row++;
    }
  }
  return rows;
}

/** One range: `length` rows of source 0 from `start` on. */
export function oneRange(start: number, length: number): Ranges {
  return {
    count: 1,
    source: new Int32Array(1),
    start: Int32Array.of(start),
    lengths: Int32Array.of(length),
    total: length,
  };
}

/** Every row of every source, one source after the other. */
export function allRanges(lengths: readonly number[]): Ranges {
  const count = lengths.length;
  return {
    count,
    source: Int32Array.from({ length: count }, (_, index) => index),
    start: new Int32Array(count),
    lengths: Int32Array.from(lengths),
    total: lengths.reduce((sum, length) => sum + length, 0),
  };
}

/** The same ranges over a child that has `size` rows for each row (a fixed-size list). */
export function scaledRanges(ranges: Ranges, size: number): Ranges {
  const start = new Int32Array(ranges.count);
  for (let at = 0; at < ranges.count; at++) start[at] = ranges.start[at]! * size;
  const lengths =
    typeof ranges.lengths === 'number' ? ranges.lengths * size : ranges.lengths.map((length) => length * size);
  return { count: ranges.count, source: ranges.source, start, lengths, total: ranges.total * size };
}
