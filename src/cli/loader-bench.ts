import { monotonicMs } from '../core/runtime.js';
import type { CommandSpec } from './command.js';
import { done } from './failure.js';
import { loaderOptions, loaderOptionsOf } from './loader-options.js';
import { openScan, sourceArgument } from './source.js';

/** A wait that a training loop notices. */
const stallMs = 5;

/** `spiral loader bench`. */
export const benchCommand: CommandSpec = {
  words: ['loader', 'bench'],
  about: 'measure a loader beside steps that block the thread: samples a second, stalls, and what limits',
  arguments: [sourceArgument],
  options: [
    ...loaderOptions,
    { name: 'for', value: 'time', kind: 'duration', otherwise: '10s', about: 'how long' },
    {
      name: 'step',
      value: 'time',
      kind: 'duration',
      otherwise: '0',
      about: 'what a training step takes, all of it blocking',
    },
    { name: 'warmup', value: 'batches', kind: 'count', otherwise: '10', about: 'batches before anything is measured' },
  ],
  examples: ['loader bench demo/images --batch-size 256', 'loader bench demo/images --shuffle --step 20ms --for 30s'],
  stops: true,
  run: async (call) => {
    const { line, out } = call;
    await using loader = (await openScan(call)).toDataLoader({ ...loaderOptionsOf(call), infinite: true });
    const [forMs, stepMs, warmup] = [line.count('for')!, line.count('step')!, line.count('warmup')!];
    const waits: number[] = [];
    const sum = { samples: 0, waitMs: 0, elapsedMs: 0 };
    let [seen, beganMs, askedMs] = [0, monotonicMs(), monotonicMs()];
    for await (const batch of loader) {
      const waitMs = monotonicMs() - askedMs;
      if (seen++ === warmup) beganMs = askedMs;
      if (seen > warmup) {
        waits.push(waitMs);
        sum.waitMs += waitMs;
        sum.samples += batch.numRows;
      }
      if (stepMs > 0) block(stepMs);
      askedMs = monotonicMs();
      sum.elapsedMs = askedMs - beganMs;
      if (seen > warmup && sum.elapsedMs >= forMs) break;
    }
    const { verdict } = loader.stats();
    const result = { ...figures(sum, waits), verdict };
    const facts = [
      ['samples/s', out.count(Math.round(result.samplesPerSecond))],
      ['samples', out.count(result.samples)],
      ['batches', out.count(result.batches)],
      ['seconds', (result.elapsedMs / 1000).toFixed(3)],
      ['data wait', `${(result.waitShare * 100).toFixed(1)} %`],
      ['wait of a batch', `p50 ${ms(result.waitMs.p50)}, p99 ${ms(result.waitMs.p99)}, most ${ms(result.waitMs.most)}`],
      ['stalls', `${out.count(result.stalls)} of ${stallMs} ms or more`],
      ['verdict', verdict],
    ] as const;
    await out.facts(facts, result);
    return done;
  },
};

interface Figures {
  readonly samplesPerSecond: number;
  readonly samples: number;
  readonly batches: number;
  readonly elapsedMs: number;
  readonly waitShare: number;
  readonly waitMs: { readonly p50: number; readonly p99: number; readonly most: number };
  readonly stalls: number;
}

function figures(sum: { samples: number; waitMs: number; elapsedMs: number }, waits: readonly number[]): Figures {
  const sorted = Float64Array.from(waits).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    samplesPerSecond: sum.elapsedMs === 0 ? 0 : (sum.samples / sum.elapsedMs) * 1000,
    samples: sum.samples,
    batches: waits.length,
    elapsedMs: sum.elapsedMs,
    waitShare: sum.elapsedMs === 0 ? 0 : Math.min(1, sum.waitMs / sum.elapsedMs),
    waitMs: { p50: at(0.5), p99: at(0.99), most: at(1) },
    stalls: waits.filter((wait) => wait >= stallMs).length,
  };
}

/** Holds the thread as a step of a native backend does: its event loop stands still, its core is free. */
function block(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
