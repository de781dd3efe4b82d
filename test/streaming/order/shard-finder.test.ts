import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ShardFinder } from '../../../src/streaming/order/shard-finder.js';
import { shardStarts } from '../../../src/streaming/order/shard-spans.js';
import { lawRuns } from '../../laws.js';

it('finds the shard of every sample, among shards of any sizes, empty ones too', () => {
  const size = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 500 }));
  const law = fc.property(fc.array(size, { minLength: 1, maxLength: 60 }), (sizes) => {
    const finder = new ShardFinder(shardStarts(sizes));
    let id = 0;
    for (const [shard, samples] of sizes.entries()) {
      for (const end = id + samples; id < end; id++)
        if (finder.shardOf(id) !== shard) expect(finder.shardOf(id)).toBe(shard);
    }
  });
  fc.assert(law, { numRuns: lawRuns(200, 5000) });
});

it('finds shards whose samples are counted beyond 32 bits', () => {
  const sizes = [2 ** 32 - 1, 5, 2 ** 31, 1, 0, 2 ** 32 - 1];
  const starts = shardStarts(sizes);
  const finder = new ShardFinder(starts);
  for (const shard of [0, 1, 2, 3, 5]) {
    expect(finder.shardOf(starts[shard]!)).toBe(shard);
    expect(finder.shardOf(starts[shard + 1]! - 1)).toBe(shard);
  }
});
