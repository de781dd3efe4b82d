import { Shard } from '../sharding/shard.js';
import { type Part, partCuts } from './part.js';

/**
 * The shards that follow from how rows are stored: a part is one shard, cut at record batches or pieces where it is larger
 * than `bytesMax`. In key order, contiguous (each ends where the next begins), and together every row; cardinalities are
 * known.
 */
export function naturalShards(parts: readonly Part[], bytesMax: number): Shard[] {
  const cuts = parts.flatMap((part, number) => {
    const { at, keys } = partCuts(part, bytesMax);
    return keys.map((begin, cut) => ({ part: number, from: at[cut]!, to: at[cut + 1]!, begin }));
  });
  return cuts.map(({ begin, ...segment }, at) => {
    const end = cuts[at + 1]?.begin ?? behind(parts[segment.part]!.keyMax);
    return new Shard({ begin, end }, segment.to - segment.from, [segment]);
  });
}

/** The least key above `key`, bytewise. */
function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
