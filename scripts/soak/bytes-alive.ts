import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Bytes of this thread's heap and buffers that are left after a collection: what is held, not what is still to be collected. */
export function bytesAlive(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // What the first one finalises the second one takes away.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Milliseconds between two such looks, as each stops the process for some hundredths of a second. */
export const aliveMs = 30_000;
