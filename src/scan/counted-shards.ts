import { checkSignal } from '../core/abort.js';
import { readConcurrency } from '../core/limits.js';
import { type Segment, Shard } from '../sharding/shard.js';
import type { OpenScan } from './open-scan.js';

/** Rows `from … to` of `part`, and which of them survive, counted from `from`; undefined: all. */
export interface CountedBlock extends Segment {
  readonly rows: Int32Array | undefined;
}

/**
 * Shards of at most `rowsMax` rows that survive the filter, as many as go into each: contiguous, in key order, together every
 * row, cardinalities known. Each is given as soon as the next one's first row is found. None where no row survives.
 */
export async function* countedShards(
  scan: OpenScan,
  rowsMax: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Shard, void, undefined> {
  const last = scan.shards.at(-1)?.keyRange.end ?? null;
  let begin = scan.shards[0]?.keyRange.begin ?? null;
  let segments: Segment[] = [];
  let count = 0;
  const extend = (part: number, from: number, to: number): void => {
    const end = segments.at(-1);
    if (from === to) return;
    if (end?.part === part && end.to === from) segments[segments.length - 1] = { ...end, to };
    else segments.push({ part, from, to });
  };
  for await (const { part, from, to, rows } of countedBlocks(scan, scan.shards, signal)) {
    const survivors = rows?.length ?? to - from;
    let start = from;
    for (let next = rowsMax - count; next < survivors; next += rowsMax) {
      const row = from + (rows?.[next] ?? next);
      extend(part, start, row);
      const end = await scan.keyAt(part, row);
      yield new Shard({ begin, end }, rowsMax, segments);
      [begin, segments, start] = [end, [], row];
    }
    extend(part, start, to);
    // Of a shard that is full the next survivor begins another.
    count = count + survivors === 0 ? 0 : ((count + survivors - 1) % rowsMax) + 1;
  }
  if (count > 0) yield new Shard({ begin, end: last }, count, segments);
}

/** The record batches and pieces of `shards`, natural ones, in order, some of them counted while the consumer is at another. */
export async function* countedBlocks(
  scan: OpenScan,
  shards: readonly Shard[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CountedBlock, void, undefined> {
  const counts = blockCounts(scan, shards, signal);
  const ahead: Promise<CountedBlock>[] = [];
  for (;;) {
    checkSignal(signal, 'Computing shards');
    while (ahead.length <= readConcurrency) {
      const next = counts.next();
      if (next.done) break;
      // An error is met again, and thrown, when its turn comes.
      next.value.catch(() => {});
      ahead.push(next.value);
    }
    const block = ahead.shift();
    if (block === undefined) return;
    yield await block;
  }
}

function* blockCounts(
  scan: OpenScan,
  shards: readonly Shard[],
  signal: AbortSignal | undefined,
): Generator<Promise<CountedBlock>> {
  for (const shard of shards) {
    const [{ part, from: base }] = shard.segments as readonly [Segment];
    for (let from = 0; from < shard.physicalRows; ) {
      const to = scan.batchEnd(shard, from);
      const block = { part, from: base + from, to: base + to };
      yield scan.survivors(shard, from, to, { signal }).then((rows) => ({ ...block, rows }));
      from = to;
    }
  }
}
