import { describe, expect, it } from 'vitest';
import { SpiralError } from '../../src/core/errors.js';
import { BodyPipe } from '../../src/storage/body-pipe.js';
import { hedgedStore } from '../../src/storage/hedged-store.js';
import { limitedStore } from '../../src/storage/limited-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { Pace } from '../../src/storage/pace.js';
import { Retrier } from '../../src/storage/retrier.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore, PutBody, RangeOptions } from '../../src/storage/store.js';
import { StoreMeter } from '../../src/storage/store-meter.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { bytesOf } from '../../src/testing/store-law-probes.js';

const bytes = bytesOf('a', 1000);

async function* streamed(): AsyncGenerator<Uint8Array> {
  yield bytes.slice(0, 400);
  yield bytes.slice(400);
}

/** All bytes in two pieces that are given at once. */
function piped(): PutBody {
  const pipe = new BodyPipe();
  void pipe.push([bytes.slice(0, 400), bytes.slice(400)]);
  pipe.end();
  return pipe.body;
}

/** A store whose ranges are answered one by one, by hand, in any order. */
async function byHand() {
  const plain = memoryStore();
  await plain.put('a', bytes);
  const asked: { answer: () => Promise<void>; fail: (error: unknown) => void; signal: AbortSignal | undefined }[] = [];
  const store: ObjectStore = Object.assign(Object.create(plain) as ObjectStore, {
    uri: plain.uri,
    close: () => plain.close(),
    getRange: (path: string, offset: number, length: number, options?: RangeOptions) =>
      new Promise<Uint8Array>((resolve, reject) => {
        const cancel = (): void => reject(new SpiralError('cancelled', 'It was cancelled.'));
        options?.signal?.addEventListener('abort', cancel);
        const answer = async (): Promise<void> => resolve(await plain.getRange(path, offset, length));
        asked.push({ answer, fail: reject, signal: options?.signal });
      }),
  });
  return { store, asked, answerAll: () => Promise.all(asked.splice(0).map(({ answer }) => answer())) };
}

async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await turns(1);
}

describe('a limited store', () => {
  it('has so many operations under way at once, the rest in their order', async () => {
    const { store, asked } = await byHand();
    const limited = limitedStore(store, { concurrency: 3 });
    const order: number[] = [];
    const reads = Array.from({ length: 10 }, (_, at) => limited.getRange('a', at, 5).then(() => order.push(at)));
    for (let left = 10; left > 0; left--) {
      await turns();
      expect(asked.length).toBe(Math.min(3, left));
      await asked.shift()!.answer();
    }
    await Promise.all(reads);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('lets one that waits leave, and asks nothing for it', async () => {
    const { store, asked, answerAll } = await byHand();
    const limited = limitedStore(store, { concurrency: 1 });
    const first = limited.getRange('a', 0, 5);
    const end = new AbortController();
    const second = limited.getRange('a', 1, 5, { signal: end.signal });
    const third = limited.getRange('a', 2, 5);
    end.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    await answerAll();
    await turns();
    await answerAll();
    expect([await first, await third]).toEqual([bytes.slice(0, 5), bytes.slice(2, 7)]);
    expect(asked).toEqual([]);
  });

  it('counts what is asked, what comes, and what fails', async () => {
    const meter = new StoreMeter();
    const retrier = new Retrier({ backoffMs: 1, onRetry: () => meter.add('retries') });
    const faults = faultStore(memoryStore(), { seed: 3, failShare: 0.3 });
    const store = limitedStore(retryStore(faults, retrier), { concurrency: 4, meter });
    await store.put('a', bytes);
    await store.put('b', [bytes, bytes]);
    await store.put('c', streamed());
    expect(await store.putIfAbsent('d', bytes)).toBe(true);
    expect((await store.get('a')).length).toBe(1000);
    expect((await store.getTail('b', 50)).size).toBe(2000);
    expect(await store.getRange('c', 10, 90)).toEqual(bytes.slice(10, 100));
    expect((await store.head('d'))?.size).toBe(1000);
    for await (const info of store.list('')) expect(info.size).toBeGreaterThan(0);
    await store.delete('d');
    await expect(store.get('d')).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.getRange('a', 999, 2)).rejects.toMatchObject({ code: 'corrupt_file' });
    const { metrics } = meter;
    expect(metrics).toMatchObject({ reads: 5, writes: 5, heads: 1, lists: 1, failures: 1 });
    expect(metrics).toMatchObject({ bytesRead: 1000 + 50 + 90, bytesWritten: 5000 });
    expect(metrics.retries).toBeGreaterThan(0);
    expect(metrics.retries).toBeLessThanOrEqual(faults.operations - 12);
    expect(metrics.readMs).toBeGreaterThan(0);
    expect(metrics.readMsP50).toBeGreaterThan(0);
    expect(metrics.readMsP99).toBeGreaterThanOrEqual(metrics.readMsP50);
    // Threads that have the same memory count into it.
    const other = new StoreMeter(meter.shared);
    other.add('hedges', 2);
    expect(meter.metrics.hedges).toBe(2);
  });

  it('lets bytes pass at a rate, through all threads together', async () => {
    const plain = memoryStore();
    await plain.put('a', bytesOf('a', 100_000));
    const pace = new Pace(1000);
    const stores = [0, 1].map(() => limitedStore(plain, { concurrency: 8, pace: new Pace(1000, pace.shared) }));
    const end = new AbortController();
    let answered = 0;
    // Each takes 50 seconds: the first goes at once, and the others wait for it.
    const reads = Array.from({ length: 12 }, (_, at) =>
      stores[at % 2]!.getRange('a', 0, 50_000, { signal: end.signal }).then(() => answered++),
    );
    await reads[0];
    await turns(100);
    expect(answered).toBe(1);
    end.abort();
    const codes = (await Promise.allSettled(reads)).map((read) =>
      read.status === 'rejected' ? read.reason.code : 'ok',
    );
    expect(codes).toEqual(['ok', ...Array.from({ length: 11 }, () => 'cancelled')]);
  });

  it('counts bytes that are known afterwards, and those that are written', async () => {
    const plain = memoryStore();
    await plain.put('a', bytes);
    for (const use of [
      (store: ObjectStore) => store.get('a'),
      (store: ObjectStore) => store.getTail('a', 500),
      (store: ObjectStore) => store.put('b', bytes),
      (store: ObjectStore) => store.put('b', piped()),
      (store: ObjectStore) => store.putIfAbsent('c', bytes),
    ]) {
      const store = limitedStore(plain, { concurrency: 8, pace: new Pace(1) });
      await use(store);
      const end = new AbortController();
      const next = store.head('a', { signal: end.signal });
      await turns();
      end.abort();
      await expect(next).rejects.toMatchObject({ code: 'cancelled' });
    }
  });

  it('ends the wait for a rate by the signal', async () => {
    const plain = memoryStore();
    await plain.put('a', bytes);
    const pace = new Pace(1);
    pace.take(1_000_000);
    const store = limitedStore(plain, { concurrency: 8, pace });
    const end = new AbortController();
    const read = store.get('a', { signal: end.signal });
    await turns();
    end.abort();
    await expect(read).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a hedged store', () => {
  /** One that knows how long reads take: next to nothing. */
  async function warm(shareMax = 1) {
    const hand = await byHand();
    const meter = new StoreMeter();
    const store = hedgedStore(hand.store, { quantile: 0.9, shareMax, meter });
    for (let turn = 0; turn < 40; turn++) {
      const read = store.getRange('a', 0, 100);
      await hand.answerAll();
      await read;
      hand.asked.splice(0);
    }
    return { ...hand, meter, hedged: store };
  }

  it('asks again for a read that is slower than most, and takes the first answer', async () => {
    const { hedged, asked, meter } = await warm();
    const before = meter.metrics.hedges;
    const into = new Uint8Array(200).fill(9);
    const read = hedged.getRange('a', 20, 100, { into });
    await until(() => asked.length === 2);
    await asked[1]!.answer();
    expect(await read).toEqual(bytes.slice(20, 120));
    expect([into[0], into[100]]).toEqual([bytes[20], 9]);
    expect(asked[0]!.signal?.aborted).toBe(true);
    expect(meter.metrics.hedges).toBe(before + 1);
    expect(meter.metrics.hedgesWon).toBeGreaterThanOrEqual(1);
  });

  it('gives what the one that does not fail gives, and the first error where both do', async () => {
    const { hedged, asked } = await warm();
    const busy = new SpiralError('unavailable', 'It is busy.');
    const one = hedged.getRange('a', 0, 100);
    await until(() => asked.length === 2);
    asked[0]!.fail(busy);
    await turns();
    await asked[1]!.answer();
    expect(await one).toEqual(bytes.slice(0, 100));
    asked.splice(0);
    const two = hedged.getRange('a', 0, 100);
    await until(() => asked.length === 2);
    asked[1]!.fail(new SpiralError('unavailable', 'So is the other.'));
    await turns();
    asked[0]!.fail(busy);
    await expect(two).rejects.toBe(busy);
    asked.splice(0);
    const gone = new SpiralError('not_found', 'There is none.');
    const three = hedged.getRange('a', 0, 100);
    await until(() => asked.length === 2);
    asked[0]!.fail(gone);
    await expect(three).rejects.toBe(gone);
  });

  it('ends both requests by the signal', async () => {
    const { hedged, asked } = await warm();
    const end = new AbortController();
    const read = hedged.getRange('a', 0, 100, { signal: end.signal });
    await until(() => asked.length === 2);
    end.abort();
    await expect(read).rejects.toMatchObject({ code: 'cancelled' });
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, true]);
  });

  it('asks again for no more than its share, and for nothing before it knows how long reads take', async () => {
    const hand = await byHand();
    const meter = new StoreMeter();
    const store = hedgedStore(hand.store, { quantile: 0.5, shareMax: 0.1, meter });
    for (let turn = 0; turn < 200; turn++) {
      const read = store.getRange('a', 0, 100);
      await new Promise((resolve) => setTimeout(resolve, turn < 60 ? 0 : 2));
      if (turn < 31) expect(hand.asked.length).toBe(1);
      await hand.answerAll();
      await read;
    }
    expect(meter.metrics.hedges).toBeGreaterThan(0);
    expect(meter.metrics.hedges).toBeLessThanOrEqual(20);
  });
});
