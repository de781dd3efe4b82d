import { describe, expect, it } from 'vitest';
import { macrotask, monotonicMs, sleep, wallMicros } from '../../src/core/runtime.js';

describe('the clocks', () => {
  it('never run backwards where that is promised', () => {
    const readings = Array.from({ length: 1000 }, monotonicMs);
    expect(readings).toEqual([...readings].sort((a, b) => a - b));
  });

  it('tell the wall time in whole microseconds', () => {
    const before = Date.now() * 1000;
    const told = wallMicros();
    expect(Number.isSafeInteger(told)).toBe(true);
    expect(told).toBeGreaterThanOrEqual(before);
  });
});

describe('sleep', () => {
  it('ends by itself', async () => {
    await expect(sleep(1)).resolves.toBeUndefined();
  });

  it("rejects with the signal's reason, before it began and while it lasts", async () => {
    const reason = new Error('enough');
    await expect(sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const asleep = sleep(60_000, controller.signal);
    controller.abort(reason);
    await expect(asleep).rejects.toBe(reason);
  });

  it('does not mind a signal that aborts afterwards', async () => {
    const controller = new AbortController();
    const asleep = sleep(1, controller.signal);
    await asleep;
    controller.abort();
    await expect(asleep).resolves.toBeUndefined();
  });
});

describe('macrotask', () => {
  it('lets everything that is due run first', async () => {
    const seen: string[] = [];
    setImmediate(() => seen.push('immediate'));
    process.nextTick(() => seen.push('tick'));
    Promise.resolve().then(() => seen.push('microtask'));
    await macrotask();
    expect(new Set(seen)).toEqual(new Set(['immediate', 'tick', 'microtask']));
  });
});
