import { monotonicMs } from '../core/runtime.js';
import type { Output } from './output.js';

/** How far some work has got. */
export interface Progress extends Disposable {
  readonly show: (done: number, all: number) => void;
  /** Wipes the line. */
  readonly end: () => void;
}

const rewriteEveryMs = 200;
/** Nothing is shown of what takes less. */
const delayMs = 1000;
const barColumns = 24;

/** A bar in one line of stderr, where that is a terminal and `--quiet` was not given. */
export function progressOf(out: Output, label: string, unit: string): Progress {
  const { stderr } = process;
  if (out.quiet || !stderr.isTTY) return { show: () => {}, end: () => {}, [Symbol.dispose]: () => {} };
  const beganMs = monotonicMs();
  let shownMs = beganMs + delayMs - rewriteEveryMs;
  let isShown = false;
  const show = (done: number, all: number): void => {
    const nowMs = monotonicMs();
    if (nowMs - shownMs < rewriteEveryMs || all === 0) return;
    const filled = Math.round((done / all) * barColumns);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barColumns - filled)}`;
    const left = done === 0 ? '' : ` · ${Math.ceil((((nowMs - beganMs) / done) * (all - done)) / 1000)} s left`;
    const counts = `${done.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} ${unit}`;
    stderr.write(`\r\u001b[K${label} ${bar} ${counts}${left}`.slice(0, (stderr.columns || 80) + 3));
    [shownMs, isShown] = [nowMs, true];
  };
  const end = (): void => {
    if (isShown) stderr.write('\r\u001b[K');
    isShown = false;
  };
  return { show, end, [Symbol.dispose]: end };
}
