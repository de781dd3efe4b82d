import type { DataLoaderOptions, LoaderState } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale, Side } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { wideRowCount, wideRows } from '../data/wide-rows.js';
import type { Figure } from '../figure.js';
import { takeWide } from './take-wide.js';

const batchSize = 256;
const shuffled: DataLoaderOptions = { batchSize, shuffleBufferSize: 10_000 };
const percents = [1, 50, 90, 99];

/** From a state to the first batch behind it, against the first batch of the epoch. */
export const resume: Benchmark = {
  name: 'loader/resume',
  work: 'The first batch of 1 M rows of 283 bytes, windows of 10,000, behind a share of them; table opened anew each time.',
  data: [wideRows],
  sides: [0, ...percents].flatMap((percent) => [resumeSide(percent, false), resumeSide(percent, true)]),
  figures: percents.flatMap((percent): Figure[] => [
    ...[false, true].map(
      (feeder): Figure => ({
        kind: 'value',
        of: sideName(percent, feeder),
        value: 'first batch ms',
        atMost: 1.5,
        against: sideName(0, feeder),
      }),
    ),
    { kind: 'value', of: sideName(percent, false), value: 'state bytes', atMost: 1000 },
  ]),
};

function sideName(percent: number, feeder: boolean): string {
  return `${percent === 0 ? 'start' : `behind ${percent} %`}${feeder ? '' : ', in process'}`;
}

function resumeSide(percent: number, feeder: boolean): Side {
  return {
    name: sideName(percent, feeder),
    open: async (scale): Promise<OpenSide> => {
      const states = await statesAt(percent, scale);
      let at = 0;
      return {
        pass: async () => {
          const state = states[at++ % states.length]!;
          await using spiral = warehouse('wide');
          const start = performance.now();
          await using loader = (await scanOf(spiral, 'wide')).resumeDataLoader(state, { feeder });
          for await (const batch of loader) {
            const values = {
              'first batch ms': performance.now() - start,
              'state bytes': JSON.stringify(state).length,
            };
            return { ...takeWide(batch), values };
          }
          throw new Error('Expected a batch behind the state.');
        },
      };
    },
  };
}

/**
 * States of runs that have received `percent` of their rows: of several seeds, as what a resumed run reads depends on how
 * its window lies, and what a new run reads on how long its first window is.
 */
async function statesAt(percent: number, scale: Scale): Promise<LoaderState[]> {
  const steps = Math.floor((scale.rows(wideRowCount) * percent) / 100 / batchSize);
  await using spiral = warehouse('wide');
  const scan = await scanOf(spiral, 'wide');
  const states: LoaderState[] = [];
  for (let seed = 0; seed < 5; seed++) {
    await using loader = scan.toDataLoader({ ...shuffled, seed, feeder: false });
    if (steps > 0) for await (const _ of loader) if (loader.step === steps) break;
    states.push(loader.stateDict());
  }
  return states;
}
