import type { Pass } from '../benchmark.js';

/** What one batch counts for. */
export interface Taken {
  readonly rows: number;
  readonly bytes: number;
}

/** Takes every batch of `source`, timing each `next()`; at most `rowsMax` rows, for sides that would take minutes. */
export async function drained<T>(
  source: AsyncIterator<T>,
  take: (batch: T) => Taken,
  rowsMax: number = Number.POSITIVE_INFINITY,
): Promise<Pass> {
  let nexts = new Float64Array(1024);
  let count = 0;
  let [rows, bytes] = [0, 0];
  while (rows < rowsMax) {
    const start = performance.now();
    const { done, value } = await source.next();
    const end = performance.now();
    if (done === true) break;
    if (count === nexts.length) nexts = grown(nexts);
    nexts[count++] = end - start;
    const taken = take(value);
    rows += taken.rows;
    bytes += taken.bytes;
  }
  await source.return?.();
  return { rows, bytes, nextMs: nexts.subarray(0, count) };
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}
