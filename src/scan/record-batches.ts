import type { RecordBatch } from 'apache-arrow';
import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { readConcurrency } from '../core/limits.js';
import type { Verify } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import type { OpenScan } from './open-scan.js';

/** What ends the reading, and when checksums are checked. */
interface BatchOptions {
  readonly signal: AbortSignal;
  readonly verify?: Verify | undefined;
}

/**
 * The record batches of `shards`, as they are stored but for what a filter leaves out of them, in order; none is empty.
 * `readahead` of them are read while the consumer is at another.
 */
export async function* recordBatches(
  scan: OpenScan,
  shards: readonly Shard[],
  options: BatchOptions,
  readahead: number = readConcurrency,
): AsyncGenerator<RecordBatch, void, undefined> {
  const { signal } = options;
  const reads = batchReads(scan, shards, options);
  const ahead: Promise<RecordBatch>[] = [];
  for (;;) {
    checkSignal(signal, 'The scan');
    while (ahead.length <= readahead) {
      const next = reads.next();
      if (next.done) break;
      // An error is met again, and thrown, when its turn comes.
      next.value.catch(() => {});
      ahead.push(next.value);
    }
    const batch = ahead.shift();
    if (batch === undefined) return;
    const read = await batch;
    if (read.numRows > 0) yield read;
  }
}

/** The same batches as {@link recordBatches}, each as soon as it is read. */
export async function* unorderedRecordBatches(
  scan: OpenScan,
  shards: readonly Shard[],
  options: BatchOptions,
  readahead: number = readConcurrency,
): AsyncGenerator<RecordBatch, void, undefined> {
  const reads = batchReads(scan, shards, options);
  const ready: (() => RecordBatch)[] = [];
  let underWay = 0;
  let wake = (): void => {};
  const settled = (take: () => RecordBatch): void => {
    underWay--;
    ready.push(take);
    wake();
  };
  for (;;) {
    checkSignal(options.signal, 'The scan');
    while (underWay + ready.length <= readahead) {
      const next = reads.next();
      if (next.done) break;
      underWay++;
      next.value.then(
        (batch) => settled(() => batch),
        (error: unknown) =>
          settled(() => {
            throw error;
          }),
      );
    }
    const take = ready.shift();
    if (take !== undefined) {
      const batch = take();
      if (batch.numRows > 0) yield batch;
    } else if (underWay === 0) return;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

function* batchReads(scan: OpenScan, shards: readonly Shard[], options: BatchOptions): Generator<Promise<RecordBatch>> {
  for (const shard of shards) {
    const rows = shard.physicalRows;
    for (let from = 0; from < rows; ) {
      const to = scan.batchEnd(shard, from);
      yield scan.readRows(shard, from, to, options).then(({ batch }) => batch);
      from = to;
    }
  }
}

/**
 * `shards` in the order of their keys, whatever order they were dealt in.
 *
 * @throws SpiralError `invalid_shards` where two of them share rows.
 */
export function inKeyOrder(shards: readonly Shard[]): Shard[] {
  const filled = shards.filter((shard) => shard.physicalRows > 0);
  const sorted = filled.sort((a, b) => {
    const [left, right] = [a.segments[0]!, b.segments[0]!];
    return left.part - right.part || left.from - right.from;
  });
  const segments = sorted.flatMap((shard) => shard.segments.map((segment) => ({ shard, ...segment })));
  for (let at = 1; at < segments.length; at++) {
    const [before, after] = [segments[at - 1]!, segments[at]!];
    if (before.part < after.part || (before.part === after.part && before.to <= after.from)) continue;
    const [first, second] = [before, after].map(({ shard }) => shards.indexOf(shard));
    throw new SpiralError(
      'invalid_shards',
      `Expected shards with rows of their own, but shards ${first} and ${second} share rows ${after.from} to ` +
        `${Math.min(before.to, after.to)} of part ${after.part}. Pass each shard once.`,
      { details: { shards: [first, second], part: after.part } },
    );
  }
  return sorted;
}
