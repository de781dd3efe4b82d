import { optionsObject } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { ranksMax } from '../core/limits.js';
import { permutation, randomStream } from '../core/random.js';
import type { Shard } from './shard.js';
import { type Environment, worldFromEnv } from './world-env.js';

/** One process of a training job: its rank, from 0, among `worldSize`. */
export class World {
  readonly rank: number;
  readonly worldSize: number;
  /** What named the world where the environment did: 'SLURM (SLURM_PROCID, SLURM_NTASKS)'; else undefined. */
  readonly source: string | undefined;

  /** @throws SpiralError `invalid_world` unless `0 <= rank < worldSize <= 131,072`, both whole; `invalid_argument`. */
  constructor(options: { rank: number; worldSize: number; source?: string }) {
    const { rank, worldSize, source } = optionsObject('A World', options);
    if (!Number.isSafeInteger(worldSize) || worldSize < 1 || worldSize > ranksMax) {
      throw new SpiralError(
        'invalid_world',
        `Expected \`worldSize\` to be at least 1 and at most ${ranksMax}, got ${shown(worldSize)}.`,
        { details: { rank, worldSize } },
      );
    }
    if (!Number.isSafeInteger(rank) || rank < 0 || rank >= worldSize) {
      throw new SpiralError(
        'invalid_world',
        `Expected \`rank\` to be at least 0 and below the world size of ${worldSize}, got ${shown(rank)}.`,
        { details: { rank, worldSize } },
      );
    }
    this.rank = rank;
    this.worldSize = worldSize;
    this.source = source;
  }

  /** The shards of this rank: every `worldSize`-th, of the list shuffled with `shuffleSeed` where one is given. */
  shards(shards: readonly Shard[], shuffleSeed?: number): Shard[] {
    return Array.from(dealt(shards.length, this, shuffleSeed), (index) => shards[index]!);
  }

  /**
   * The world that the launcher of this process describes: torchrun (`RANK`, `WORLD_SIZE`), `TF_CONFIG`, Open MPI, PMI,
   * SLURM, or an indexed Job of Kubernetes (`JOB_COMPLETION_INDEX` and a `WORLD_SIZE` that the Job sets to its
   * `completions`); of several the first in this order, the nearest to the process. 0 of 1 where there is none.
   *
   * @throws SpiralError `invalid_world`, naming the variables, where they are half set, no numbers, or contradict each
   * other, and for a task of `TF_CONFIG` that trains nothing.
   */
  static fromEnv(env: Environment = process.env): World {
    return new World(worldFromEnv(optionsObject('World.fromEnv', env)) ?? { rank: 0, worldSize: 1 });
  }

  /** The world of a PyTorch launcher: `RANK` and `WORLD_SIZE`; 0 of 1 when both are unset. */
  static fromTorch(): World {
    const { RANK: rank, WORLD_SIZE: worldSize } = process.env;
    if (rank === undefined && worldSize === undefined) return new World({ rank: 0, worldSize: 1 });
    return new World({ rank: numeral('RANK', rank), worldSize: numeral('WORLD_SIZE', worldSize) });
  }
}

/** The places, in a list of `count`, of what `world`'s rank is dealt (law 4). */
export function dealt(count: number, world: World, shuffleSeed?: number): Uint32Array {
  const order = shuffleSeed === undefined ? undefined : permutation(count, randomStream('shards', shuffleSeed));
  const own = new Uint32Array(Math.max(0, Math.ceil((count - world.rank) / world.worldSize)));
  for (let at = 0; at < own.length; at++) {
    const place = world.rank + at * world.worldSize;
    own[at] = order === undefined ? place : order[place]!;
  }
  return own;
}

/** Returns `world` if it is one. @throws SpiralError `invalid_world`. */
export function checkedWorld(world: World): World {
  if (world instanceof World) return world;
  throw new SpiralError('invalid_world', `Expected \`world\` to be a World, got ${shown(world)}.`);
}

function numeral(name: string, text: string | undefined): number {
  if (text !== undefined && /^\d+$/.test(text.trim())) return Number(text);
  throw new SpiralError(
    'invalid_world',
    `Expected the environment variable ${name} to be a whole number, as ${name === 'RANK' ? 'WORLD_SIZE' : 'RANK'} ` +
      `is set, got ${shown(text)}.`,
    { details: { name, found: text } },
  );
}
