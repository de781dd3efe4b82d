import { SpiralError } from '../core/errors.js';
import { macrotask, monotonicMs } from '../core/runtime.js';

/** Milliseconds after which timers and I/O get a turn (law 13). */
const yieldEveryMs = 16;

/** Where batches to replay come from: one epoch an iteration. */
export type ReplaySource<T> = AsyncIterable<T> & AsyncDisposable;

/**
 * The first `most` batches of the epoch of what `open` opens, or as many as there are, for ever. They are read before the
 * first of them is given, and the source is closed then. `check` throws where the replay is to end.
 *
 * @throws SpiralError `no_rows` where neither that epoch nor the next has a batch.
 */
export async function* replay<T>(
  open: () => ReplaySource<T>,
  most: number,
  check: () => void,
): AsyncGenerator<T, void, undefined> {
  const batches = await firstBatches(open, most);
  let yieldedMs = monotonicMs();
  for (let at = 0; ; at = (at + 1) % batches.length) {
    if (monotonicMs() - yieldedMs > yieldEveryMs) {
      await macrotask();
      yieldedMs = monotonicMs();
    }
    check();
    yield batches[at]!;
  }
}

async function firstBatches<T>(open: () => ReplaySource<T>, most: number): Promise<T[]> {
  await using source = open();
  const batches: T[] = [];
  // A loader that has just given the last batch of its epoch goes on with the next one's first.
  for (let epochs = 0; epochs < 2 && batches.length === 0; epochs++) {
    for await (const batch of source) {
      batches.push(batch);
      if (batches.length === most) break;
    }
  }
  if (batches.length > 0) return batches;
  throw new SpiralError(
    'no_rows',
    'Expected a batch to replay, found none in two epochs: this rank has no rows in them, or the transform dropped every batch.',
  );
}
