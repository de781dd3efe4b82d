import type { RecordBatch } from 'apache-arrow';
import type { Pass } from '../benchmark.js';
import { quantile } from '../quantile.js';
import type { Taken } from './drained.js';

/** Steps that do not count: what was read ahead while nobody asked is used up in them. */
const warmUpSteps = 50;

/**
 * Takes batches, blocking the event loop for `stepMs` after each, as a training step with a native backend does. Only the
 * waits of `steps` steps behind the warm-up count.
 */
export async function blockingPass(
  batches: AsyncIterator<RecordBatch>,
  take: (batch: RecordBatch) => Taken,
  { stepMs, steps }: { readonly stepMs: number; readonly steps: number },
): Promise<Pass> {
  const nextMs = new Float64Array(steps);
  let [rows, bytes] = [0, 0];
  for (let step = -warmUpSteps; step < steps; step++) {
    const start = performance.now();
    const { done, value } = await batches.next();
    const end = performance.now();
    if (done === true) throw new Error('Expected batches without an end.');
    if (step >= 0) nextMs[step] = end - start;
    const taken = take(value);
    rows += taken.rows;
    bytes += taken.bytes;
    computeUntil(end + stepMs);
  }
  return { rows, bytes, nextMs, values: waitShares(nextMs, stepMs) };
}

/** Looks at the clock now and then: each look leaves garbage, whose collection would be waited for in `next()`. */
function computeUntil(atMs: number): void {
  while (performance.now() < atMs)
    for (let round = 0; round < 1000; round++) computed = Math.imul(computed, 31) + round;
}
let computed = 1;

/** Waits as a share of a step of `stepMs`. */
function waitShares(nextMs: Float64Array, stepMs: number): Record<string, number> {
  const percent = (at: number): number => (quantile(nextMs, at) / stepMs) * 100;
  return { 'median wait %': percent(0.5), 'p99 wait %': percent(0.99) };
}
