import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { type Verify, verifyWords } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import type { KeyTable } from './key-table.js';

/** How a scan is read. */
export interface ReadOptions {
  /** Only these shards. Default: all. */
  readonly shards?: readonly Shard[];
  /**
   * Takes the rows with these keys, in this order and as often as they are in here; keys without a row are left out. Columns
   * beside the keys are for `se.aux`. Not together with `shards`.
   */
  readonly keyTable?: KeyTable;
  /**
   * Rows of a batch at most, where rows are taken by a key table; elsewhere it has no effect, as in the reference. Not with a
   * stream of keys, whose own batches are kept. Default: 65,536.
   */
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
  readonly keyTable: KeyTable | undefined;
  readonly batchSize: number | undefined;
  readonly readahead: number;
  readonly progress: boolean;
  readonly verify: Verify | undefined;
  readonly signal: AbortSignal | undefined;
}

const names = ['shards', 'keyTable', 'batchSize', 'batchReadahead', 'hideProgressBar', 'verify', 'signal'];

/** @throws SpiralError `invalid_argument`, `invalid_size`: the first option that is wrong. */
export function readSettings(options: ReadOptions, readahead: number, where: string): ReadSettings {
  knownOptions(where, options, names);
  const { shards, keyTable, batchSize, hideProgressBar = false } = options;
  if (shards !== undefined && keyTable !== undefined) {
    throw new SpiralError(
      'invalid_argument',
      'Expected either `shards` or `keyTable`, got both: rows are read by where they are, or taken by their keys.',
      { details: { name: 'keyTable' } },
    );
  }
  if (batchSize !== undefined) wholeNumber('batchSize', batchSize, { min: 1, unit: 'rows' });
  if (typeof hideProgressBar !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`hideProgressBar\` to be true or false, got ${shown(hideProgressBar)}.`,
      { details: { name: 'hideProgressBar', found: hideProgressBar } },
    );
  }
  return {
    shards,
    keyTable,
    batchSize,
    readahead: wholeNumber('batchReadahead', options.batchReadahead ?? readahead, { max: 100_000 }),
    progress: !hideProgressBar,
    verify: options.verify === undefined ? undefined : oneOf('verify', options.verify, verifyWords),
    signal: options.signal,
  };
}
