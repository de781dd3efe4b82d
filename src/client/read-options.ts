import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { type Verify, verifyWords } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';

/** How a scan is read. */
export interface ReadOptions {
  /** Only these shards. Default: all. */
  readonly shards?: readonly Shard[];
  /** Rows of a batch at most. As in the reference it matters only where rows are taken by a key table. */
  readonly batchSize?: number;
  /** Record batches read ahead. Default `limits.batch_readahead`. */
  readonly batchReadahead?: number;
  /** Shows no progress line. Default false: where stderr is a terminal, reading that takes a second or more shows one. */
  readonly hideProgressBar?: boolean;
  /** When checksums of stored buffers are checked: 'first', 'always', 'never'. Default: the client's setting `verify`. */
  readonly verify?: Verify;
  /** Ends the reading with `cancelled`. */
  readonly signal?: AbortSignal;
}

/** {@link ReadOptions}, checked. */
export interface ReadSettings {
  readonly shards: readonly Shard[] | undefined;
  readonly readahead: number;
  readonly progress: boolean;
  readonly verify: Verify | undefined;
  readonly signal: AbortSignal | undefined;
}

const names = ['shards', 'batchSize', 'batchReadahead', 'hideProgressBar', 'verify', 'signal'];

/** @throws SpiralError `invalid_argument`, `invalid_size`: the first option that is wrong. */
export function readSettings(options: ReadOptions, readahead: number, where: string): ReadSettings {
  knownOptions(where, options, names);
  const { batchSize, hideProgressBar = false } = options;
  if (batchSize !== undefined) wholeNumber('batchSize', batchSize, { min: 1, unit: 'rows' });
  if (typeof hideProgressBar !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`hideProgressBar\` to be true or false, got ${shown(hideProgressBar)}.`,
      { details: { name: 'hideProgressBar', found: hideProgressBar } },
    );
  }
  return {
    shards: options.shards,
    readahead: wholeNumber('batchReadahead', options.batchReadahead ?? readahead, { max: 100_000 }),
    progress: !hideProgressBar,
    verify: options.verify === undefined ? undefined : oneOf('verify', options.verify, verifyWords),
    signal: options.signal,
  };
}
