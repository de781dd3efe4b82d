import { knownOptions } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';

/** How many bad rows a loader skips before it stops, and where it names them. */
export interface RowErrors {
  /**
   * Rows that may be skipped since the run began: so many, or a share such as `'0.1%'` of the rows received, of the first
   * 1,000 at least and rounded up, so that one row may always be bad. 0 skips none.
   */
  max: number | `${number}%`;
  /**
   * Path of a file to which each skipped row is appended, as a line of JSON, before its batch is given. Each rank needs a
   * file of its own. Default: none.
   */
  report?: string;
}

/** {@link RowErrors}, checked. */
export interface RowErrorSettings {
  readonly max: number | `${number}%`;
  readonly report: string | undefined;
}

/**
 * How far a run has got with `rowErrors`: rows received and rows of them skipped, and what both were when the epoch, or this
 * rank's part of it, began.
 */
export interface RowErrorCounts {
  readonly rows: number;
  readonly skipped: number;
  readonly epochRows: number;
  readonly epochSkipped: number;
}

export const noRowErrors: RowErrorCounts = { rows: 0, skipped: 0, epochRows: 0, epochSkipped: 0 };

/** Rows of which a share is taken at least: the first rows of a run say nothing about its share. */
const shareRowsMin = 1000;

/**
 * Checks the option; undefined where no row may be skipped.
 *
 * @throws SpiralError `invalid_argument`, naming the field that is wrong.
 */
export function rowErrorSettings(option: RowErrors | undefined): RowErrorSettings | undefined {
  if (option === undefined) return undefined;
  if (typeof option !== 'object' || option === null) throw invalid('rowErrors', 'an object { max, report }', option);
  knownOptions('`rowErrors`', option, ['max', 'report']);
  const { max, report } = option;
  const percent = percentOf(max);
  const whole = typeof max === 'number' && Number.isSafeInteger(max) && max >= 0;
  if (!whole && !(percent !== undefined && percent >= 0 && percent <= 100)) {
    throw invalid('rowErrors.max', "a whole number of rows, or a share from '0%' to '100%'", max);
  }
  if (report !== undefined && (typeof report !== 'string' || report === '')) {
    throw invalid('rowErrors.report', 'the path of a file', report);
  }
  return max === 0 || percent === 0 ? undefined : { max, report };
}

/** Bad rows that `max` allows within `rows` rows. */
export function allowedRows(max: RowErrors['max'], rows: number): number {
  if (typeof max === 'number') return max;
  const share = (percentOf(max)! * Math.max(rows, shareRowsMin)) / 100;
  // What multiplying has left behind the point must not round up.
  return Math.ceil(share - 1e-9);
}

/** Bad rows that one batch can have before it is certain that there are too many. */
export function badRowsMax(settings: RowErrorSettings | undefined): number {
  if (settings === undefined) return 0;
  return typeof settings.max === 'number' ? settings.max : Number.POSITIVE_INFINITY;
}

/** The counts of a state, if they are what they should be. @throws SpiralError `invalid_state`. */
export function parseRowErrorCounts(counts: RowErrorCounts): void {
  const fields = ['rows', 'skipped', 'epochRows', 'epochSkipped'] as const;
  if (typeof counts === 'object' && counts !== null) {
    if (fields.every((field) => Number.isSafeInteger(counts[field]) && counts[field] >= 0)) return;
  }
  throw new SpiralError(
    'invalid_state',
    `Expected \`rowErrors\` of a loader state to have whole numbers as ${fields.join(', ')}, got ${shown(counts)}.`,
    { details: { field: 'rowErrors', found: counts } },
  );
}

/** The counts as they were when the epoch began. */
export function restartedCounts({ epochRows, epochSkipped }: RowErrorCounts): RowErrorCounts {
  return { rows: epochRows, skipped: epochSkipped, epochRows, epochSkipped };
}

/** The counts as an epoch begins with them. */
export function epochCounts({ rows, skipped }: RowErrorCounts): RowErrorCounts {
  return { rows, skipped, epochRows: rows, epochSkipped: skipped };
}

/**
 * What `rank` of a new world of `worldSize` goes on from: the counts of the old ranks are dealt out, so that their sums stay.
 * Undefined where no old rank counted.
 */
export function dealtCounts(
  old: readonly (RowErrorCounts | undefined)[],
  { rank, worldSize }: { readonly rank: number; readonly worldSize: number },
): RowErrorCounts | undefined {
  if (old.every((counts) => counts === undefined)) return undefined;
  const own = old.filter((_, from) => from % worldSize === rank).map((counts) => counts ?? noRowErrors);
  const sum = (field: 'rows' | 'skipped'): number => own.reduce((total, counts) => total + counts[field], 0);
  return epochCounts({ ...noRowErrors, rows: sum('rows'), skipped: sum('skipped') });
}

function percentOf(max: unknown): number | undefined {
  const digits = typeof max === 'string' ? /^(\d+(?:\.\d+)?)%$/.exec(max)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

function invalid(name: string, expected: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected \`${name}\` to be ${expected}, got ${shown(found)}.`, {
    details: { name, found },
  });
}
