import { Shard } from '../sharding/shard.js';
import type { Part } from './plan.js';

/**
 * The shards that follow from how rows are stored: a part is one shard, cut at record batches where it is larger than
 * `bytesMax`. In key order, disjoint, and together every row; cardinalities are known.
 */
export function naturalShards(parts: readonly Part[], bytesMax: number): Shard[] {
  return parts.flatMap((part, number) => {
    const perBatch = (part.bytes / part.rows) * part.batchRows;
    const step = Math.max(1, Math.floor(bytesMax / perBatch)) * part.batchRows;
    const shards: Shard[] = [];
    for (let from = 0; from < part.rows; from += step) {
      const to = Math.min(part.rows, from + step);
      const begin = part.batchKeys[from / part.batchRows]!;
      const end = to < part.rows ? part.batchKeys[to / part.batchRows]! : behind(part.keyMax);
      shards.push(new Shard({ begin, end }, to - from, [{ part: number, from, to }]));
    }
    return shards;
  });
}

/** The least key above `key`, bytewise. */
function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
