// A thread that makes buffers and lets go of them, 6 MB in use at a time, and tells how often it was collected whole.
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';

let whole = 0;
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === 4 || detail.kind === 8) whole++;
});
observer.observe({ entryTypes: ['gc'] });
// A heap as a program has one.
const alive = Array.from({ length: 100_000 }, (_, at) => ({ at, text: `text ${at}` }));
const kept = [];
for (let passed = 0; passed < 800; passed++) {
  kept[passed % 6] = Array.from({ length: 4 }, () => new Uint8Array(256 * 1024));
  await setImmediate();
}
await setImmediate();
observer.disconnect();
parentPort.postMessage(alive.length === 0 ? -1 : whole);
