import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { callBytes } from '../../src/core/limits.js';
import { macrotask, sleep } from '../../src/core/runtime.js';
import { InFlight, TakenParcels } from '../../src/loader/in-flight.js';
import { lawRuns } from '../laws.js';

const arbParcel = fc.record({ batches: fc.integer({ min: 1, max: 9 }), bytes: fc.nat(1000) });
const arbParcels = fc.array(arbParcel, { minLength: 1, maxLength: 40 });

function opened(parcels: readonly { batches: number; bytes: number }[]) {
  const taken = new TakenParcels();
  const held = { bytes: 0 };
  const inFlight = new InFlight(taken.shared, (bytes) => {
    held.bytes += bytes;
  });
  for (const parcel of parcels) inFlight.add(parcel);
  return { taken, inFlight, held };
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  await macrotask();
  return done;
}

describe('what is on its way to main', () => {
  test('is what was sent and not taken, once the feeder looks', async () => {
    await fc.assert(
      fc.asyncProperty(arbParcels, fc.nat(), async (parcels, pick) => {
        const { taken, inFlight, held } = opened(parcels);
        const count = pick % (parcels.length + 1);
        for (let at = 0; at < count; at++) taken.add();
        inFlight.look();
        const left = parcels.slice(count);
        const sum = (of: 'batches' | 'bytes'): number => left.reduce((total, parcel) => total + parcel[of], 0);
        expect([inFlight.batches, inFlight.bytes, held.bytes]).toEqual([sum('batches'), sum('bytes'), sum('bytes')]);
      }),
      { numRuns: lawRuns(50, 2000) },
    );
  });

  test('makes main call a feeder that waits once, before the last parcel where there are several', async () => {
    await fc.assert(
      fc.asyncProperty(arbParcels, async (parcels) => {
        const { taken, inFlight } = opened(parcels);
        const waiting = inFlight.wait();
        expect(await settled(waiting)).toBe(false);
        const calls = parcels.map(() => taken.add());
        expect(calls.filter((call) => call)).toHaveLength(1);
        expect(calls.indexOf(true)).toBeLessThan(Math.max(1, parcels.length - 1));
        expect(await settled(waiting)).toBe(false);
        inFlight.call();
        await waiting;
        expect([inFlight.batches, inFlight.bytes]).toEqual([0, 0]);
      }),
      { numRuns: lawRuns(30, 1000) },
    );
  });

  test('makes main call at each parcel that is large', async () => {
    const large = { batches: 1, bytes: callBytes };
    const { taken, inFlight } = opened([large, large, large, large]);
    for (let left = 3; left > 0; left--) {
      const waiting = inFlight.wait();
      expect(taken.add()).toBe(true);
      inFlight.call();
      await waiting;
      expect(inFlight.batches).toBe(left);
    }
  });

  test('is looked at without a call, as fast as main took before', async () => {
    const parcel = { batches: 1, bytes: 100 };
    const { taken, inFlight } = opened(Array.from({ length: 10 }, () => parcel));
    const first = inFlight.wait();
    await sleep(5);
    for (let count = 0; count < 9; count++) taken.add();
    inFlight.call();
    await first;
    for (let count = 0; count < 9; count++) inFlight.add(parcel);
    const second = inFlight.wait();
    const calls = Array.from({ length: 5 }, () => taken.add());
    await second;
    expect(calls).not.toContain(true);
    expect(inFlight.batches).toBe(5);
  });

  test('is not waited for where main took some before it could know', async () => {
    const { taken, inFlight } = opened([small, small]);
    taken.add();
    await inFlight.wait();
    expect(inFlight.batches).toBe(1);
  });
});

const small = { batches: 1, bytes: 10 };
