/** The value below which the share `at` of `values` lies, between neighbours in proportion; NaN for none. */
export function quantile(values: ArrayLike<number>, at: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return Number.NaN;
  const place = at * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}

/** The value in the middle: what a claim rests on, for one slow round does not move it. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** The median of every value that any of `records` has. */
export function medians(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  return Object.fromEntries([...names].map((name) => [name, median(records.flatMap((record) => record[name] ?? []))]));
}
