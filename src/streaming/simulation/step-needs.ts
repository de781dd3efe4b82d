import { ShardFinder } from '../order/shard-finder.js';

/** The shards that a node needs, step by step: step s needs those from `stepStart[s]` to `stepStart[s + 1]`, each once. */
export interface NodeNeeds {
  readonly shards: readonly number[];
  readonly stepStart: readonly number[];
}

/** Collects what nodes need from the samples of steps; in a step, shards are in the order in which its samples need them. */
export class StepNeeds {
  readonly nodes: readonly { readonly shards: number[]; readonly stepStart: number[] }[];
  readonly #ranksPerNode: number;
  readonly #finder: ShardFinder;
  /** Which step of which node a shard was last needed in. */
  readonly #neededAt: Float64Array;
  #steps = 0;

  constructor(world: { nodes: number; ranksPerNode: number }, shardStarts: Float64Array) {
    this.nodes = Array.from({ length: world.nodes }, () => ({ shards: [], stepStart: [0] }));
    this.#ranksPerNode = world.ranksPerNode;
    this.#finder = new ShardFinder(shardStarts);
    this.#neededAt = new Float64Array(shardStarts.length);
  }

  /** Adds a step; `ids` as `StepSamples.read` writes them. Returns its samples. */
  add(ids: Float64Array): number {
    const ranks = this.nodes.length * this.#ranksPerNode;
    let samples = 0;
    for (const [node, { shards, stepStart }] of this.nodes.entries()) {
      const mark = this.#steps * this.nodes.length + node + 1;
      for (let place = node * this.#ranksPerNode; place < ids.length; place += ranks) {
        for (let at = place; at < place + this.#ranksPerNode; at++) {
          const id = ids[at]!;
          if (!(id >= 0)) continue;
          samples++;
          const shard = this.#finder.shardOf(id);
          if (this.#neededAt[shard] === mark) continue;
          this.#neededAt[shard] = mark;
          shards.push(shard);
        }
      }
      stepStart.push(shards.length);
    }
    this.#steps++;
    return samples;
  }
}
