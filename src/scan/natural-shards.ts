import { Shard } from '../sharding/shard.js';
import { keyOf, type Part, shardEnd } from './part.js';

/**
 * The shards that follow from how rows are stored: a part is one shard, cut at record batches or pieces where it is larger
 * than `bytesMax`. In key order, contiguous (each ends where the next begins), and together every row; cardinalities are
 * known.
 */
export function naturalShards(parts: readonly Part[], bytesMax: number): Shard[] {
  const shards: Shard[] = [];
  let end: Uint8Array | undefined;
  // From the last to the first, as each ends where the next begins.
  for (let number = parts.length - 1; number >= 0; number--) {
    const part = parts[number]!;
    end ??= behind(part.keyMax);
    const starts = [0];
    for (let to = shardEnd(part, 0, bytesMax); to < part.rows; to = shardEnd(part, to, bytesMax)) starts.push(to);
    for (let at = starts.length - 1, to = part.rows; at >= 0; at--) {
      const from = starts[at]!;
      const begin = keyOf(part, from);
      shards.push(new Shard({ begin, end }, to - from, [{ part: number, from, to }]));
      [end, to] = [begin, from];
    }
  }
  return shards.reverse();
}

/** The least key above `key`, bytewise. */
function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
