import { expect, test } from 'vitest';
import { AbortWatch } from '../../src/core/abort-watch.js';

/** A signal that counts its listeners. */
function countedSignal(): { abort: AbortController; listeners(): number } {
  const abort = new AbortController();
  const { signal } = abort;
  let count = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { abort, listeners: () => count };
}

test('tells all who watch, once, with one listener, and leaves none', () => {
  const watch = new AbortWatch();
  const { abort, listeners } = countedSignal();
  const told: number[] = [];
  const unwatch = Array.from({ length: 50 }, (_, at) => watch.watch(abort.signal, () => told.push(at)));
  expect(listeners()).toBe(1);
  for (const stop of unwatch.slice(3)) stop();
  abort.abort();
  expect(told).toEqual([0, 1, 2]);
  for (const stop of unwatch) stop();
  expect(listeners()).toBe(0);
  watch.watch(abort.signal, () => {})();
  expect(listeners()).toBe(0);
});
