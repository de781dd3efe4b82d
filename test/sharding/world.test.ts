import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { Shard } from '../../src/sharding/shard.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';

const shardList = (count: number): Shard[] =>
  Array.from({ length: count }, (_, part) => new Shard({ begin: null, end: null }, 1, [{ part, from: 0, to: 1 }]));
const parts = (shards: readonly Shard[]): number[] => shards.map((shard) => shard.segments[0]!.part);

describe('a world', () => {
  test('deals every shard to exactly one rank, in turn', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.integer({ min: 1, max: 9 }), fc.option(fc.integer()), (count, worldSize, seed) => {
        const shards = shardList(count);
        const dealt = Array.from({ length: worldSize }, (_, rank) =>
          parts(new World({ rank, worldSize }).shards(shards, seed ?? undefined)),
        );
        expect(dealt.flat().sort((a, b) => a - b)).toEqual(parts(shards));
        const sizes = dealt.map((own) => own.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        const whole = parts(new World({ rank: 0, worldSize: 1 }).shards(shards, seed ?? undefined));
        for (const [rank, own] of dealt.entries()) {
          expect(own).toEqual(whole.filter((_, at) => at % worldSize === rank));
        }
      }),
      { numRuns: lawRuns(200, 5000) },
    );
  });

  test('shuffles only with a seed', () => {
    const shards = shardList(50);
    const world = new World({ rank: 0, worldSize: 1 });
    expect(parts(world.shards(shards))).toEqual(parts(shards));
    expect(parts(world.shards(shards, 1))).not.toEqual(parts(shards));
    expect(parts(world.shards(shards, 1))).not.toEqual(parts(world.shards(shards, 2)));
  });

  test.each([
    { rank: 2, worldSize: 2 },
    { rank: -1, worldSize: 2 },
    { rank: 0, worldSize: 0 },
    { rank: 0.5, worldSize: 2 },
    { rank: 0, worldSize: Number.NaN },
  ])('refuses rank $rank of $worldSize', (options) => {
    expect(() => new World(options)).toThrowError(expect.objectContaining({ code: 'invalid_world' }));
  });
});

describe('the world of a PyTorch launcher', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('is read from RANK and WORLD_SIZE, and is 0 of 1 without them', () => {
    vi.stubEnv('RANK', undefined);
    vi.stubEnv('WORLD_SIZE', undefined);
    expect(World.fromTorch()).toEqual(new World({ rank: 0, worldSize: 1 }));
    vi.stubEnv('RANK', '3');
    vi.stubEnv('WORLD_SIZE', '4');
    expect(World.fromTorch()).toEqual(new World({ rank: 3, worldSize: 4 }));
  });

  test('refuses one of the two alone, and what is no number', () => {
    vi.stubEnv('RANK', '1');
    vi.stubEnv('WORLD_SIZE', undefined);
    expect(() => World.fromTorch()).toThrowError(/WORLD_SIZE/);
    vi.stubEnv('WORLD_SIZE', 'two');
    try {
      World.fromTorch();
      expect.unreachable();
    } catch (error) {
      expect(isSpiralError(error, 'invalid_world')).toBe(true);
    }
  });
});

describe('a shard', () => {
  test('is the same after JSON', () => {
    const shard = new Shard({ begin: Uint8Array.of(1, 0, 255), end: null }, null, [{ part: 3, from: 4, to: 9 }]);
    const again = Shard.fromJSON(JSON.parse(JSON.stringify(shard)));
    expect(again).toEqual(shard);
    expect(again.physicalRows).toBe(5);
  });

  test.each([null, 3, {}, { begin: null, end: null, cardinality: 1, segments: [[0, 5, 1]] }])('is not %j', (json) => {
    expect(() => Shard.fromJSON(json)).toThrowError(expect.objectContaining({ code: 'invalid_shards' }));
  });
});
