import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isSpiralError } from '../core/errors.js';
import type { LoaderState, LoaderStats, SpiralDataLoader } from '../index.js';
import type { Call, CommandSpec } from './command.js';
import { done, misuse } from './failure.js';
import { loaderOptions, loaderOptionsOf } from './loader-options.js';
import type { Output } from './output.js';
import { openScan, sourceArgument } from './source.js';

/** `spiral loader plan | run`. */
export const loaderCommands: readonly CommandSpec[] = [
  {
    words: ['loader', 'plan'],
    about: 'tell what an epoch holds for each rank, before anything is read',
    arguments: [sourceArgument],
    options: loaderOptions,
    examples: ['loader plan demo/images --batch-size 256', 'loader plan demo/images --world-size 8 --uneven split'],
    stops: true,
    run: async (call) => {
      const { out } = call;
      await using loader = (await openScan(call)).toDataLoader(loaderOptionsOf(call));
      const plan = await loader.plan();
      const rows = plan.ranks.map((rank) => [
        String(rank.rank),
        out.count(rank.rows),
        out.count(rank.batches),
        out.count(rank.padding),
        out.count(rank.dropped),
        out.bytes(rank.bytes),
      ]);
      const columns = ['rank', 'rows', 'batches', 'padding', 'dropped', 'bytes'].map(
        (name) => ({ name, right: true }) as const,
      );
      await out.table(columns, rows, plan);
      return done;
    },
  },
  {
    words: ['loader', 'run'],
    about: 'read epochs as a training loop would, and tell what it took',
    arguments: [sourceArgument],
    options: [
      ...loaderOptions,
      { name: 'epochs', value: 'count', kind: 'count', otherwise: '1', about: 'how many' },
      { name: 'steps', value: 'count', kind: 'count', about: 'end after so many batches' },
      {
        name: 'state',
        value: 'file',
        about: 'go on from the state in this file, if it is there; kept there behind each epoch and at Ctrl-C',
      },
    ],
    examples: [
      'loader run demo/images --batch-size 256 --shuffle',
      'loader run demo/images --steps 1000 --state run.json',
    ],
    stops: true,
    run,
  },
];

async function run(call: Call): Promise<number> {
  const { line, out } = call;
  const scan = await openScan(call);
  const file = line.text('state');
  const state = file === undefined ? undefined : readState(file);
  const options = { ...loaderOptionsOf(call), progress: !out.quiet };
  const { epoch: first = 0 } = options;
  await using loader = state === undefined ? scan.toDataLoader(options) : scan.resumeDataLoader(state, options);
  const end = (state?.epoch ?? first) + line.count('epochs')!;
  const steps = line.count('steps') ?? Number.POSITIVE_INFINITY;
  const keep = (): void => {
    if (file !== undefined) writeState(file, loader.stateDict());
  };
  try {
    await readEpochs(loader, end, steps, keep);
  } catch (error) {
    if (isSpiralError(error, 'cancelled')) keep();
    throw error;
  }
  await showStats(out, loader.stats());
  return done;
}

/** Reads up to the epoch `end`, at most `steps` batches; `keep` is called behind each epoch. */
async function readEpochs(loader: SpiralDataLoader, end: number, steps: number, keep: () => void): Promise<void> {
  let left = steps;
  while (loader.epoch < end && left > 0) {
    for await (const _ of loader) if (--left <= 0) break;
    keep();
  }
}

/** What reading took, a figure a line. */
export async function showStats(out: Output, stats: LoaderStats): Promise<void> {
  const perSecond = stats.elapsedMs === 0 ? 0 : (stats.rows / stats.elapsedMs) * 1000;
  const facts = [
    ['rows', out.count(stats.rows)],
    ['batches', out.count(stats.batches)],
    ['bytes', out.bytes(Math.round(stats.bytes))],
    ['seconds', (stats.elapsedMs / 1000).toFixed(3)],
    ['rows/s', out.count(Math.round(perSecond))],
    ['data wait', `${(stats.waitShare * 100).toFixed(1)} %`],
    ['verdict', stats.verdict],
  ] as const;
  await out.facts(facts, { ...stats, rowsPerSecond: perSecond });
}

function readState(file: string): LoaderState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LoaderState;
  } catch (cause) {
    throw misuse(
      `Expected --state to name a file with a loader's state in JSON, got ${file}: ${(cause as Error).message}.`,
      { file },
    );
  }
}

/** Whole or not at all. */
function writeState(file: string, state: LoaderState): void {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(state)}\n`);
  renameSync(`${file}.tmp`, file);
}
