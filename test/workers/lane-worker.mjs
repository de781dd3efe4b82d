import { threadId, workerData } from 'node:worker_threads';
import { serveTasks } from '../../build/workers/serve-tasks.js';

/** A worker for the test of lanes: does what each task says, alone or in a list. Plain JavaScript, as Node runs no TypeScript in threads. */
const held = [];
const counters = new Int32Array(workerData);

async function run(task) {
  const running = Atomics.add(counters, 0, 1) + 1;
  Atomics.store(counters, 1, Math.max(Atomics.load(counters, 1), running));
  Atomics.add(counters, 2, 1);
  try {
    if (task.exit !== undefined) process.exit(task.exit);
    if (task.spin) for (;;);
    if (task.forget) await new Promise(() => {});
    if (task.outside)
      await new Promise(() => {
        setTimeout(() => {
          throw new Error(task.outside);
        });
      });
    if (task.exitLater) setTimeout(() => process.exit(0), 1);
    if (task.error) throw new RangeError(task.error, { cause: new Error('beneath') });
    if (task.hold) held.push(new Uint8Array(task.hold).fill(1), Array.from({ length: 1000 }));
    if (task.wait) await new Promise((resolve) => setTimeout(resolve, task.wait));
    const bytes = task.buffer === undefined ? new ArrayBuffer(4) : task.buffer;
    return { result: { value: task.value, threadId, bytes }, transfer: [bytes] };
  } finally {
    Atomics.sub(counters, 0, 1);
  }
}

serveTasks((message) => (Array.isArray(message) ? message : [message]).map((task) => () => run(task)));
