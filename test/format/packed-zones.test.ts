import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packZones, unpackZones } from '../../src/format/packed-zones.js';
import type { Bound, Zone } from '../../src/format/zone-map.js';
import { lawRuns } from '../laws.js';

const kinds: readonly fc.Arbitrary<Bound>[] = [
  fc.double({ noNaN: true }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 255n), max: 2n ** 255n }),
  fc.uint8Array({ maxLength: 32 }),
  fc.boolean(),
];
const arbZones: fc.Arbitrary<Zone[]> = fc.oneof(...kinds, fc.oneof(...kinds)).chain((first) => {
  const own = kinds.find((kind) => kind.canShrinkWithoutContext(first)) ?? fc.oneof(...kinds);
  const bound = fc.option(own, { nil: null });
  const zone = fc.record({ nulls: fc.nat(2 ** 31 - 1), min: bound, max: bound });
  return fc.array(
    fc.oneof(
      zone,
      zone.map((plain) => ({ ...plain, nan: true })),
    ),
    { maxLength: 40 },
  );
});

test('zones of all batches of a column are packed to what they were, whatever bounds they have', () => {
  fc.assert(
    fc.property(arbZones, (zones) => {
      const packed = structuredClone(packZones(zones));
      const [first, second] = unpackZones([packed, packed], zones.length);
      expect(first).toEqual(zones);
      expect(second).toEqual(zones);
      expect(first!.map(({ min, max }) => [Object.is(min, -0), Object.is(max, -0)])).toEqual(
        zones.map(({ min, max }) => [Object.is(min, -0), Object.is(max, -0)]),
      );
    }),
    { numRuns: lawRuns(300, 5000) },
  );
});

test('zones of another number of batches are refused before any is asked for', () => {
  const zones: Zone[] = [1, 2, 3].map((nulls) => ({ nulls, min: Uint8Array.of(nulls), max: 7n }));
  const packed = packZones(zones);
  for (const [change, count] of [
    [{}, 2],
    [{}, 4],
    [{ u: new Uint8Array(8) }, 3],
    [{ u: new Uint8Array(12).fill(255) }, 3],
    [{ min: ['f', new Uint8Array(16)] }, 3],
    [{ min: ['i', new Uint8Array(16), []] }, 3],
    [{ min: ['b', new Uint8Array(2), Uint8Array.of(1, 1, 1)] }, 3],
    [{ min: ['l', [1, 2]] }, 3],
    [{ max: ['x'] }, 3],
    [{ max: 7 }, 3],
  ] as const) {
    expect(() => unpackZones([{ ...packed, ...change } as never], count)).toThrow();
  }
  expect(unpackZones([packed], 3)).toEqual([zones]);
});
