import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startRoomyWorker } from '../../src/workers/roomy-worker.js';

const file = fileURLToPath(new URL('./passes-data.mjs', import.meta.url));

/** How often the thread's heap was collected whole while 800 MB passed through it. */
async function collections(worker: Worker): Promise<number> {
  const [count] = (await once(worker, 'message')) as [number];
  await worker.terminate();
  return count;
}

test('a thread that data passes through is hardly ever collected whole, and others are as they were', async () => {
  const roomy = await collections(startRoomyWorker(file, { execArgv: [] }));
  const plain = await collections(new Worker(file, { execArgv: [] }));
  expect(roomy).toBeLessThan(3);
  expect(plain).toBeGreaterThan(3);
});

test('threads that start at once, or fail to, leave nothing behind for those after them', async () => {
  const failed = startRoomyWorker(fileURLToPath(new URL('./not-there.mjs', import.meta.url)), { execArgv: [] });
  const [[error], roomy] = await Promise.all([
    once(failed, 'error') as Promise<[Error]>,
    Promise.all([1, 2].map(() => collections(startRoomyWorker(file, { execArgv: [] })))),
  ]);
  expect(error.message).toContain('not-there.mjs');
  for (const count of roomy) expect(count).toBeLessThan(3);
  expect(await collections(new Worker(file, { execArgv: [] }))).toBeGreaterThan(3);
});
