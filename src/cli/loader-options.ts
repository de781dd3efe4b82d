import type { DataLoaderOptions } from '../index.js';
import type { Call, OptionSpec } from './command.js';
import { queryOptions } from './source.js';

/** What a loader reads and how, on the command line. */
export const loaderOptions: readonly OptionSpec[] = [
  ...queryOptions,
  { name: 'batch-size', value: 'rows', kind: 'count', about: 'rows of a batch' },
  { name: 'shuffle', about: 'mix the whole epoch (shuffle: epoch)' },
  { name: 'shuffle-buffer-size', value: 'rows', kind: 'count', about: 'rows of a shuffle window' },
  { name: 'seed', value: 'seed', kind: 'count', about: 'of the order' },
  { name: 'epoch', value: 'epoch', kind: 'count', about: 'to begin with' },
  { name: 'rank', value: 'rank', kind: 'count', about: 'this one of --world-size' },
  { name: 'world-size', value: 'ranks', kind: 'count', about: 'ranks that share the rows' },
  { name: 'uneven', value: 'word', choices: ['keep', 'drop', 'pad', 'split'], about: 'what becomes of unequal ranks' },
  { name: 'drop-last', about: 'leave out a last batch that is short' },
  { name: 'batch-readahead', value: 'batches', kind: 'count', about: 'batches to read ahead' },
  { name: 'no-feeder', about: 'make batches in the main thread' },
];

/** The options of the loader that the command line asks for. */
export function loaderOptionsOf({ door, line, signal }: Call): DataLoaderOptions {
  const [rank, worldSize] = [line.count('rank'), line.count('world-size')];
  const uneven = line.text('uneven') as DataLoaderOptions['uneven'];
  return {
    signal,
    ...line.counts('batch-size', 'shuffle-buffer-size', 'seed', 'epoch', 'batch-readahead'),
    ...(line.flag('shuffle') && { shuffle: 'epoch' as const }),
    ...(line.flag('drop-last') && { dropLast: true }),
    // The parser turns `--no-feeder` into `feeder: false`.
    ...(!line.flag('feeder') && { feeder: false }),
    ...(uneven && { uneven }),
    ...((rank !== undefined || worldSize !== undefined) && {
      world: new door.World({ rank: rank ?? 0, worldSize: worldSize ?? 1 }),
    }),
  };
}
