import { deriveSeed } from '../core/random.js';
import { sleep } from '../core/runtime.js';

const backoffMsMax = 50;

/** Full jitter: of writers that met once, few meet again. */
export function backoff(label: string, tries: number): Promise<void> {
  const share = deriveSeed('backoff', label, tries) / 2 ** 32;
  return sleep(share * Math.min(backoffMsMax, 2 ** Math.min(tries, 10)));
}
