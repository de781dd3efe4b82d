import { permutation, randomStream } from '../../core/random.js';
import { ShardFinder } from '../order/shard-finder.js';

/** Samples that are looked at, and distances that are told apart; of more, neighbouring ones count as one. */
const samplesMax = 1 << 22;
const cellsMax = 1 << 24;

/** How well an order mixes, as MosaicML's simulator counts it. */
export interface ShuffleQuality {
  /** Bits of entropy in the distances between neighbouring samples; between the shards of neighbouring samples. */
  readonly sampleBits: number;
  readonly shardBits: number;
  /** The harmonic mean of both; the samples' alone where there is one shard. */
  readonly quality: number;
}

/** Counts the distances of neighbours in an order of samples, as far as its first 4 M. Memory: up to 64 MiB. */
export class NeighbourDistances {
  readonly #finder: ShardFinder;
  readonly #samples: Uint32Array;
  readonly #shards: Uint32Array;
  readonly #cellsPerSample: number;
  #count = 0;
  #lastId = -1;
  #lastShard = -1;

  /** `starts` are the first samples of the shards, and last, the end. */
  constructor(starts: Float64Array) {
    const samples = starts.at(-1)!;
    this.#finder = new ShardFinder(starts);
    this.#samples = new Uint32Array(Math.min(samples, cellsMax) + 1);
    this.#shards = new Uint32Array(starts.length);
    this.#cellsPerSample = Math.min(1, cellsMax / samples);
  }

  /** Goes on with `ids`; those below 0 are passed over. */
  add(ids: ArrayLike<number>): void {
    for (let at = 0; at < ids.length && this.#count < samplesMax; at++) {
      const id = ids[at]!;
      if (!(id >= 0)) continue;
      const shard = this.#finder.shardOf(id);
      if (this.#count > 0) {
        this.#samples[Math.floor(Math.abs(id - this.#lastId) * this.#cellsPerSample)]!++;
        this.#shards[Math.abs(shard - this.#lastShard)]!++;
      }
      [this.#lastId, this.#lastShard] = [id, shard];
      this.#count++;
    }
  }

  quality(): ShuffleQuality {
    const pairs = Math.max(1, this.#count - 1);
    const [sampleBits, shardBits] = [entropy(this.#samples, pairs), entropy(this.#shards, pairs)];
    const both = sampleBits + shardBits;
    const harmonic = both === 0 ? 0 : (2 * sampleBits * shardBits) / both;
    return { sampleBits, shardBits, quality: this.#shards.length <= 2 ? sampleBits : harmonic };
  }
}

/** The quality of an order in which any sample may come next to any other: `samples` of them, drawn from `seed`. */
export function naiveQuality(starts: Float64Array, samples: number, seed: number): ShuffleQuality {
  const distances = new NeighbourDistances(starts);
  const all = starts.at(-1)!;
  const stream = randomStream('naive-quality', seed);
  if (samples === all && all <= samplesMax) distances.add(permutation(all, stream));
  else
    distances.add(Float64Array.from({ length: Math.min(samples, samplesMax) }, () => Math.floor(stream.unit() * all)));
  return distances.quality();
}

function entropy(counts: Uint32Array, of: number): number {
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / of) * Math.log2(count / of);
  return bits;
}
