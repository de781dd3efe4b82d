/** Buckets of more are sorted by comparison; one of a few by insertion. */
const insertionMax = 24;

/**
 * The indices of `places` in the order of their values, equal ones in their own order: an argsort in linear time for
 * values that lie in `[0, places.length]`, about one to each whole number.
 */
export function placesSorted(places: Float64Array): Uint32Array {
  const length = places.length;
  const ends = new Uint32Array(length + 1);
  for (let at = 0; at < length; at++) ends[bucketOf(places[at]!, length) + 1]!++;
  for (let bucket = 0; bucket < length; bucket++) ends[bucket + 1]! += ends[bucket]!;
  const sorted = new Uint32Array(length);
  for (let at = 0; at < length; at++) sorted[ends[bucketOf(places[at]!, length)]!++] = at;
  let start = 0;
  for (let bucket = 0; bucket < length; bucket++) {
    const end = ends[bucket]!;
    if (end - start > insertionMax) sorted.subarray(start, end).sort((a, b) => places[a]! - places[b]! || a - b);
    else insert(sorted, places, start, end);
    start = end;
  }
  return sorted;
}

const bucketOf = (place: number, length: number): number => Math.max(0, Math.min(length - 1, Math.floor(place)));

function insert(sorted: Uint32Array, places: Float64Array, start: number, end: number): void {
  for (let at = start + 1; at < end; at++) {
    const index = sorted[at]!;
    const place = places[index]!;
    let to = at;
    for (; to > start && places[sorted[to - 1]!]! > place; to--) sorted[to] = sorted[to - 1]!;
    sorted[to] = index;
  }
}
