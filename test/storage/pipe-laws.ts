import fc from 'fast-check';
import { expect } from 'vitest';
import { BodyPipe } from '../../src/storage/body-pipe.js';
import type { StoreLawTable } from '../../src/testing/store-law-probes.js';
import { lawRuns } from '../laws.js';

/** Sizes of pieces below and above what a pipe joins. */
const size = fc.oneof(fc.nat(40), fc.integer({ min: 30_000, max: 140_000 }));
const pushes = fc.array(fc.array(size, { maxLength: 5 }), { maxLength: 5 });

type Law = StoreLawTable[number][1];

const keepsAll: Law = async (store) => {
  let made = 0;
  const law = fc.asyncProperty(pushes, async (sizes) => {
    const path = `piped/${made++}`;
    const pipe = new BodyPipe();
    const lists = sizes.map((list, push) => list.map((length, at) => new Uint8Array(length).fill(31 * push + at + 1)));
    const put = store.put(path, pipe.body);
    for (const list of lists) await pipe.push(list);
    pipe.end();
    await put;
    expect(Buffer.compare(await store.get(path), Buffer.concat(lists.flat()))).toBe(0);
  });
  await fc.assert(law, { numRuns: lawRuns(6, 60) });
};

const keepsNothing: Law = async (store) => {
  const pipe = new BodyPipe();
  const put = store.put('piped', pipe.body);
  const failure = new Error('The maker gave up.');
  const refused = expect(put).rejects.toBe(failure);
  await pipe.push([new Uint8Array(100_000), new Uint8Array(10)]);
  pipe.fail(failure);
  await refused;
  expect(await store.head('piped')).toBeUndefined();
};

const letsGo: Law = async (store) => {
  const pipe = new BodyPipe();
  const end = new AbortController();
  const refused = expect(store.put('piped', pipe.body, { signal: end.signal })).rejects.toMatchObject({
    code: 'cancelled',
  });
  await pipe.push([new Uint8Array(100_000), new Uint8Array(100_000)]);
  end.abort();
  await refused;
  // Nobody reads any more: who pushes on is not left waiting.
  pipe.leave();
  await pipe.push([new Uint8Array(10)]);
  await pipe.push([new Uint8Array(10)]);
  expect(await store.head('piped')).toBeUndefined();
};

/** What every store makes of a body that is made while it is put. */
export const pipeLaws: StoreLawTable = [
  ['keeps what is pushed into a pipe, in order', keepsAll],
  ['keeps nothing of a pipe that fails, and tells its error', keepsNothing],
  ['lets go of a pipe when the put is cancelled', letsGo],
];
