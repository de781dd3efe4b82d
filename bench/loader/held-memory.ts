/** Batches between two looks, at most: a look collects all garbage, which takes milliseconds. */
const looks = 100;

/**
 * The most bytes of array buffers alive at once while `batches` are taken, beyond those that were alive before; the batch
 * in hand counts. Looks when reading ahead has come to rest, which is when most is held.
 */
export async function heldBytes<T>(batches: AsyncIterable<T>, batchCount: number): Promise<number> {
  const before = await aliveBytes();
  const every = Math.max(1, Math.floor(batchCount / looks));
  let most = 0;
  let at = 0;
  for await (const _ of batches) {
    if (at++ % every === 0) most = Math.max(most, (await aliveBytes()) - before);
  }
  return most;
}

async function aliveBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Buffers that a first collection finds dead are freed by the second at the latest.
  for (let time = 0; time < 2; time++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers;
}
