import { ShardFinder } from './shard-finder.js';

/** What one rank is given in one epoch, or in what is left of one: places in the order of training, a sample at each. */
export interface SampleOrder {
  /** Places of this rank. Those of the epoch's end may be empty. */
  readonly rankLength: number;
  /** Writes the sample ids of the rank's places `from … to` to `ids`, from index 0 on; -1 where there is none. */
  samples(from: number, to: number, ids: Float64Array): void;
  /** Samples that are given more than once in this, over all ranks, to fill these up; not those that streams repeat. */
  readonly duplicates: number;
  /**
   * Shards in the order in which this rank first needs them from `place` on, lazily: each once, or where an order cuts shards
   * into parts, once for each part. It may name one that the rank turns out not to need where it shares shards with other
   * ranks, or drops its last samples.
   */
  shardsFrom(place: number): Iterable<number>;
}

/** Places looked at in one go: a shard is found by its first sample. */
const placesAtOnce = 4096;

/**
 * The shards of an order's samples from `place` on, each where it is first needed; `starts` are the shards' first samples
 * and, last, the end. For an order that knows no better: it walks the places until it has met all shards.
 */
export function* shardsOfSamples(
  order: Pick<SampleOrder, 'rankLength' | 'samples'>,
  starts: Float64Array,
  place: number,
): Generator<number, void, undefined> {
  const finder = new ShardFinder(starts);
  const seen = new Uint8Array(starts.length);
  let unseen = 0;
  for (let shard = 0; shard + 1 < starts.length; shard++) if (starts[shard]! < starts[shard + 1]!) unseen++;
  const ids = new Float64Array(placesAtOnce);
  for (let from = place; from < order.rankLength && unseen > 0; from += placesAtOnce) {
    const to = Math.min(order.rankLength, from + placesAtOnce);
    order.samples(from, to, ids);
    for (let at = 0; at < to - from; at++) {
      if (ids[at]! < 0) continue;
      const shard = finder.shardOf(ids[at]!);
      if (seen[shard] === 1) continue;
      seen[shard] = 1;
      unseen--;
      yield shard;
    }
  }
}
