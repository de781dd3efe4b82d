import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Collects all that nobody refers to, at once. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/** The same, and has those told of it who registered to be. */
export async function finalizeGarbage(): Promise<void> {
  // What was made in this turn of the event loop may still be referred to.
  await setImmediate();
  collectGarbage();
  await setImmediate();
}
