import { NumpyGenerator } from '../order/numpy-generator.js';

/** How an epoch takes samples of a stream: `balanced` anew each epoch, `fixed` the same. */
export type SamplingMethod = 'balanced' | 'fixed';

/** One stream: where its samples start among those of all streams, its shards, and how many an epoch takes. */
export interface SampledStream {
  readonly first: number;
  readonly shardSizes: readonly number[];
  readonly choose: number;
}

/** The samples of an epoch before they are shuffled. */
export interface Sampled {
  readonly samples: number;
  /** Stretches that are shuffled as shards are: a shard of 4 taken 10 times gives 4, 4 and 2. */
  readonly units: readonly number[];
  /** The sample at a place, of those of all streams; undefined where place and sample are equal but for `first`. */
  readonly ids: Uint32Array | undefined;
  readonly first: number;
}

/**
 * How many samples each shard gives where `choose` are taken of a stream: whole repeats of all, and the rest `granularity`
 * at a time of shards in an order drawn from `seed`. 0 of a stream without samples.
 */
export function shardShares(
  shardSizes: readonly number[],
  choose: number,
  granularity: number,
  seed: number | bigint,
): number[] {
  const samples = shardSizes.reduce((a, b) => a + b, 0);
  const repeats = samples === 0 ? 0 : Math.floor(choose / samples);
  const shares = shardSizes.map((size) => size * repeats);
  let rest = samples === 0 ? 0 : choose % samples;
  if (rest === 0) return shares;
  const shards: number[] = [];
  const counts: number[] = [];
  for (const [shard, size] of shardSizes.entries()) {
    for (let left = size; left > 0; left -= granularity) {
      shards.push(shard);
      counts.push(Math.min(left, granularity));
    }
  }
  for (const granule of new NumpyGenerator(seed).permutation(shards.length)) {
    const taken = Math.min(rest, counts[granule]!);
    shares[shards[granule]!]! += taken;
    rest -= taken;
    if (rest === 0) break;
  }
  return shares;
}

/**
 * The samples that an epoch takes of `streams`: each shard's whole repeats, then, of the rest, as many as its share says,
 * drawn without replacement and in ascending order. `shareSeed` draws shares, `pickSeed` samples.
 */
export function sampleStreams(
  streams: readonly SampledStream[],
  granularity: number,
  shareSeed: number | bigint,
  pickSeed: number | bigint,
): Sampled {
  const shares = streams.map(({ shardSizes, choose }) => shardShares(shardSizes, choose, granularity, shareSeed));
  const samples = streams.reduce((sum, { choose }) => sum + choose, 0);
  const units: number[] = [];
  const first = streams[0]!.first;
  if (streams.every(({ shardSizes }, at) => shardSizes.every((size, shard) => shares[at]![shard] === size))) {
    for (const { shardSizes } of streams) for (const size of shardSizes) if (size > 0) units.push(size);
    return { samples, units, ids: undefined, first };
  }
  const ids = new Uint32Array(samples);
  const generator = new NumpyGenerator(pickSeed);
  let at = 0;
  for (const [stream, { shardSizes, first: streamFirst }] of streams.entries()) {
    let start = streamFirst;
    for (const [shard, size] of shardSizes.entries()) {
      let left = shares[stream]![shard]!;
      for (; left >= size && size > 0; left -= size) {
        units.push(size);
        for (let sample = 0; sample < size; sample++) ids[at++] = start + sample;
      }
      if (left > 0) {
        units.push(left);
        for (const sample of generator.choice(size, left).sort()) ids[at++] = start + sample;
      }
      start += size;
    }
  }
  return { samples, units, ids, first };
}
