import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startRoomyWorker } from '../../src/workers/roomy-worker.js';

const file = fileURLToPath(new URL('./passes-data.mjs', import.meta.url));

/** How often the heap of a thread was collected whole while 800 MB passed through it. */
async function collections(worker: Worker): Promise<number> {
  const [count] = (await once(worker, 'message')) as [number];
  await worker.terminate();
  return count;
}

test('a thread that data passes through is collected whole less often, and threads after it are as they were', async () => {
  let [roomy, plain] = [0, 0];
  for (let time = 0; time < 3; time++) {
    roomy += await collections(startRoomyWorker(file, { execArgv: [] }));
    plain += await collections(new Worker(file, { execArgv: [] }));
  }
  expect(roomy).toBeLessThan(plain);
});
