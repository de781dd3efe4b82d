import type { NumpyGenerator } from './numpy-generator.js';

/** Stretches of samples, in an order, of which bucket b owns those from `bounds[b]` to `bounds[b + 1]`. */
export interface ShardSpans {
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
  readonly bounds: readonly number[];
}

/**
 * Shards in the order `shardOrder`, one span each, cut where `buckets` equal shares of all samples end.
 *
 * A span's numbers are those of `starts`: shard s holds `starts[s]` to `starts[s + 1]`.
 */
export function cutSpans(starts: Float64Array, shardOrder: Uint32Array, buckets: number): ShardSpans {
  const samples = starts.at(-1)!;
  const begins: number[] = [];
  const ends: number[] = [];
  const bounds = [0];
  let next = 0;
  let taken = 0;
  let begin = shardOrder.length === 0 ? 0 : starts[shardOrder[0]!]!;
  for (let bucket = 1; bucket <= buckets; bucket++) {
    const bucketEnd = Math.floor((samples * bucket) / buckets);
    while (next < shardOrder.length) {
      const end = starts[shardOrder[next]! + 1]!;
      const fits = taken + end - begin <= bucketEnd;
      const upTo = fits ? end : begin + bucketEnd - taken;
      if (fits || upTo > begin) {
        begins.push(begin);
        ends.push(upTo);
        taken += upTo - begin;
      }
      if (!fits) {
        begin = upTo;
        break;
      }
      next++;
      if (next < shardOrder.length) begin = starts[shardOrder[next]!]!;
    }
    bounds.push(begins.length);
  }
  return { begins: Uint32Array.from(begins), ends: Uint32Array.from(ends), bounds };
}

/** The spans with the order of each bucket's shuffled, bucket after bucket. */
export function shuffledSpans(spans: ShardSpans, generator: NumpyGenerator): ShardSpans {
  const order = Uint32Array.from(spans.begins, (_, at) => at);
  for (let bucket = 0; bucket + 1 < spans.bounds.length; bucket++) {
    generator.shuffle(order, spans.bounds[bucket]!, spans.bounds[bucket + 1]!);
  }
  return {
    begins: order.map((at) => spans.begins[at]!),
    ends: order.map((at) => spans.ends[at]!),
    bounds: spans.bounds,
  };
}

/** Where each shard starts among all samples, and where the last one ends. */
export function shardStarts(sizes: ArrayLike<number>): Float64Array {
  const starts = new Float64Array(sizes.length + 1);
  for (let shard = 0; shard < sizes.length; shard++) starts[shard + 1] = starts[shard]! + sizes[shard]!;
  return starts;
}
