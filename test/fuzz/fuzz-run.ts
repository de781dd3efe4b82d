import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { typescript } from '../typescript.js';
import type { FuzzReport, FuzzTask } from './fuzz-child.js';

/** Milliseconds between two looks at the number of the input, and looks that find the same after which it hangs. */
const lookMs = 10_000;
const looksMax = 6;
/** Megabytes of JavaScript heap in which every target must do. */
const heapMegabytes = 384;
/** Inputs that are run in one go. */
const chunkInputs = 20_000;

const nothing: FuzzReport = { accepted: 0, refused: 0, faults: [], slowestMs: 0, slowest: 0, codes: {} };

/** A process that runs fuzz tasks, and another in its place where an input hangs or kills it. */
export class FuzzRun {
  readonly #folder = mkdtempSync(join(tmpdir(), 'spiral-fuzz-'));
  #child: ChildProcess | undefined;

  /** What became of the inputs of `task`, all together. */
  async run(task: FuzzTask): Promise<FuzzReport> {
    let total = nothing;
    for (let from = task.from; from < task.to; from += chunkInputs) {
      total = joined(total, await this.#chunk({ ...task, from, to: Math.min(task.to, from + chunkInputs) }));
    }
    return total;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #chunk(task: FuzzTask): Promise<FuzzReport> {
    if (task.from >= task.to) return nothing;
    const outcome = await this.#attempt(task);
    if (typeof outcome !== 'string') return outcome;
    const number = this.#beat();
    // What it knew of the inputs before died with it: they are run again.
    const before = await this.#chunk({ ...task, to: number });
    const after = await this.#chunk({ ...task, from: number + 1 });
    const shown = await this.#attempt({ ...task, from: number, to: number + 1, shown: true });
    const input = typeof shown === 'string' ? '' : shown.faults[0]!.input;
    const fault = { target: task.target, number, what: outcome, input };
    return joined(joined(before, { ...nothing, faults: [fault] }), after);
  }

  /** A report; or how the process ended at the input whose number it wrote last. */
  #attempt(task: FuzzTask): Promise<FuzzReport | string> {
    const child = this.#child ?? this.#fork();
    this.#child = child;
    return new Promise((resolve, reject) => {
      let last = this.#beat();
      let same = 0;
      const watch = setInterval(() => {
        const now = this.#beat();
        same = now === last ? same + 1 : 0;
        if (same === looksMax) end(`It did not end within ${(looksMax * lookMs) / 1000} s.`);
        last = now;
      }, lookMs);
      const end = (outcome: FuzzReport | string): void => {
        clearInterval(watch);
        child.removeAllListeners();
        if (typeof outcome === 'string') {
          child.kill('SIGKILL');
          this.#child = undefined;
        }
        resolve(outcome);
      };
      child.once('message', (report: FuzzReport | string) => {
        // Text is the error of a target that cannot be opened.
        if (typeof report === 'string') reject(new Error(report));
        end(report);
      });
      child.once('exit', (code, signal) => end(`The process died of it: ${signal ?? `exit code ${code}`}.`));
      child.send(task);
    });
  }

  #fork(): ChildProcess {
    const script = fileURLToPath(new URL('fuzz-child.ts', import.meta.url));
    return fork(script, [this.#beats()], {
      execArgv: [...typescript, `--max-old-space-size=${heapMegabytes}`],
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    });
  }

  #beats(): string {
    return join(this.#folder, 'beats');
  }

  #beat(): number {
    try {
      const bytes = readFileSync(this.#beats());
      return bytes.length < 8 ? 0 : bytes.readDoubleLE(0);
    } catch {
      return 0;
    }
  }
}

function joined(a: FuzzReport, b: FuzzReport): FuzzReport {
  const codes = { ...a.codes };
  for (const [code, count] of Object.entries(b.codes)) codes[code] = (codes[code] ?? 0) + count;
  const slower = a.slowestMs >= b.slowestMs ? a : b;
  return {
    accepted: a.accepted + b.accepted,
    refused: a.refused + b.refused,
    faults: [...a.faults, ...b.faults],
    slowestMs: slower.slowestMs,
    slowest: slower.slowest,
    codes,
  };
}
