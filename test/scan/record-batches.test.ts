import { type RecordBatch, tableFromArrays } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { type BatchReads, readBatches } from '../../src/scan/record-batches.js';

/** What became of each of some batches that are read first and made later. */
interface Fate {
  begun: number;
  taken: number;
  left: number;
}

const batchOf = (number: number): RecordBatch => tableFromArrays({ number: Int32Array.of(number) }).batches[0]!;

/** `count` batches, each read once `read` of its number resolves. */
function reads(count: number, read: (number: number) => Promise<void>): { reads: BatchReads; fates: Fate[] } {
  const fates: Fate[] = [];
  const all = function* (): Generator<ReturnType<typeof one>, void, undefined> {
    for (let number = 0; number < count; number++) yield one(number);
  };
  const one = (number: number) => {
    const fate: Fate = { begun: 0, taken: 0, left: 0 };
    fates.push(fate);
    return {
      read: read(number),
      begin: () => {
        fate.begun++;
      },
      take: async () => {
        fate.taken++;
        return batchOf(number);
      },
      leave: () => {
        fate.left++;
      },
    };
  };
  return { reads: all(), fates };
}

const { signal } = new AbortController();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(['kept', 'completion'] as const)('batches in order %s', (order) => {
  it('are each made once, and none is left', async () => {
    const { reads: own, fates } = reads(9, turn);
    const seen: number[] = [];
    for await (const batch of readBatches(own, order, signal, 3)) seen.push(batch.getChildAt(0)!.get(0));
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { taken, left } of fates) expect({ taken, left }).toEqual({ taken: 1, left: 0 });
  });

  it('that nobody takes are left, once each, those as well that are still being read', async () => {
    let finish = (): void => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { reads: own, fates } = reads(9, (number) => (number < 2 ? turn() : slow));
    for await (const _ of readBatches(own, order, signal, 3)) break;
    finish();
    await turn();
    expect(fates.length).toBeGreaterThan(3);
    expect(fates[0]).toMatchObject({ taken: 1, left: 0 });
    for (const { taken, left } of fates.slice(1)) expect({ taken, left }).toEqual({ taken: 0, left: 1 });
  });

  it('are begun while their reader is busy with the one before, no more than one ahead', async () => {
    const { reads: own, fates } = reads(9, turn);
    const batches = readBatches(own, order, signal, 3);
    await batches.next();
    for (let time = 0; time < 5; time++) await turn();
    expect(fates.slice(0, 4).map(({ begun }) => Math.sign(begun))).toEqual([0, 1, 0, 0]);
    await batches.return();
  });

  it('are read up to an error, which comes in its place', async () => {
    const failure = new Error('no such file');
    const { reads: own } = reads(9, (number) => (number === 4 ? Promise.reject(failure) : turn()));
    const seen: number[] = [];
    const all = async (): Promise<void> => {
      for await (const batch of readBatches(own, order, signal, 0)) seen.push(batch.getChildAt(0)!.get(0));
    };
    await expect(all()).rejects.toBe(failure);
    expect(seen).toEqual([0, 1, 2, 3]);
  });
});
