import { cores, cpuMs, monotonicMs } from '../core/runtime.js';

/** Milliseconds of passes over which waiting is judged. */
const judgedMs = 500;
/** What passes between two looks at the clock of the process, which is a call of the system. */
const lookMs = 20;
/** The share of the time that, spent waiting, calls for one more thread, */
const waitedShare = 0.5;
/** where so many cores are idle: rows in order, uncompressed and near, keep more than one and a half busy with one thread's reading. */
const idleCoresMin = 0.5;

/** Judges, over as many passes as that takes, whether their consumer waits for data while cores are idle. */
export class Starvation {
  /** What passed, was waited and was computed since the last judgement. */
  readonly #sum = { ms: 0, waitedMs: 0, cpuMs: 0 };
  /** Where the clocks were when something was added last; undefined where the next look begins to count. */
  #last: { readonly ms: number; readonly waitedMs: number; readonly cpuMs: number } | undefined;
  #begins = false;

  /** What passes now does not count: until a pass waits the second time, as the first wait is for its start. */
  pause(): void {
    this.#last = undefined;
    this.#begins = true;
  }

  /** To be asked before each wait of a pass, which has waited `waitedMs` so far: whether another thread would help. */
  judge(waitedMs: number): boolean {
    if (this.#begins) {
      this.#begins = false;
      return false;
    }
    const ms = monotonicMs();
    const last = this.#last;
    if (last !== undefined && ms - last.ms < lookMs) return false;
    const now = { ms, waitedMs, cpuMs: cpuMs() };
    this.#last = now;
    if (last === undefined) return false;
    this.#sum.ms += ms - last.ms;
    this.#sum.waitedMs += waitedMs - last.waitedMs;
    this.#sum.cpuMs += now.cpuMs - last.cpuMs;
    return this.#sum.ms >= judgedMs && this.#verdict();
  }

  #verdict(): boolean {
    const sum = this.#sum;
    const isStarved = sum.waitedMs > waitedShare * sum.ms && cores() - sum.cpuMs / sum.ms >= idleCoresMin;
    [sum.ms, sum.waitedMs, sum.cpuMs] = [0, 0, 0];
    return isStarved;
  }
}
