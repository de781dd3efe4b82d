import { appendFile } from 'node:fs/promises';
import { fromWire } from '../core/error-wire.js';
import { SpiralError } from '../core/errors.js';
import { type BadRow, badCause } from './bad-row.js';
import {
  allowedRows,
  epochCounts,
  noRowErrors,
  type RowErrorCounts,
  type RowErrorSettings,
  restartedCounts,
} from './row-errors.js';

/** Counts the rows that a loader skips, names them in a report, and ends it where there are too many. */
export class RowErrorLog {
  readonly #settings: RowErrorSettings | undefined;
  #counts: RowErrorCounts | undefined;

  constructor(settings: RowErrorSettings | undefined) {
    this.#settings = settings;
    if (settings !== undefined) this.#counts = noRowErrors;
  }

  /** For the state; undefined: nothing was ever counted. */
  get counts(): RowErrorCounts | undefined {
    return this.#counts;
  }

  /** Goes on from what a state counted. */
  restore(counts: RowErrorCounts | undefined): void {
    this.#counts = counts ?? this.#counts;
  }

  /** An iteration begins. The report is made at once, so that a path that cannot be is found before the training. */
  async begin(): Promise<void> {
    await this.#append('');
  }

  /** The epoch begins here. */
  beginEpoch(): void {
    if (this.#counts !== undefined) this.#counts = epochCounts(this.#counts);
  }

  /** The epoch is begun anew. */
  restart(): void {
    if (this.#counts !== undefined) this.#counts = restartedCounts(this.#counts);
  }

  /**
   * Reports the bad rows of a batch of `rows` rows, themselves included, which is about to be given.
   *
   * @throws SpiralError `too_many_row_errors`, before they are reported; `invalid_argument` where the report cannot be
   * written.
   */
  async admit(bad: readonly BadRow[], rows: number, at: { epoch: number; step: number }): Promise<void> {
    if (bad.length === 0 || this.#settings === undefined) return;
    const before = this.#counts ?? noRowErrors;
    const skipped = before.skipped + bad.length;
    const allowed = allowedRows(this.#settings.max, before.rows + rows);
    if (skipped > allowed)
      throw tooMany(this.#settings, { skipped, allowed, rows: before.rows + rows }, bad.at(-1)!, at);
    await this.#append(bad.map((row) => `${JSON.stringify(reportLine(row, at))}\n`).join(''));
  }

  /** A batch of `rows` rows was received, `skipped` of them bad. */
  count(rows: number, skipped: number): void {
    if (this.#settings === undefined) return;
    const counts = this.#counts ?? noRowErrors;
    this.#counts = { ...counts, rows: counts.rows + rows, skipped: counts.skipped + skipped };
  }

  async #append(text: string): Promise<void> {
    const report = this.#settings?.report;
    if (report === undefined) return;
    try {
      await appendFile(report, text);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SpiralError(
        'invalid_argument',
        `Expected \`rowErrors.report\` to be the path of a file that can be written, got '${report}': ${why}. Make its ` +
          'folder first, or choose another path.',
        { details: { name: 'rowErrors.report', found: report }, cause },
      );
    }
  }
}

function reportLine(bad: BadRow, { epoch, step }: { epoch: number; step: number }): Record<string, unknown> {
  const { shard, row, column, error } = bad;
  return { epoch, step, shard, row, column, code: error.code, cause: badCause(bad) };
}

function tooMany(
  { max, report }: RowErrorSettings,
  counted: { readonly skipped: number; readonly allowed: number; readonly rows: number },
  last: BadRow,
  at: { epoch: number; step: number },
): SpiralError {
  const { shard, row, column, error } = last;
  const share = typeof max === 'number' ? '' : ` (${max} of ${counted.rows} received, of 1000 at least)`;
  const where = report === undefined ? '' : ` '${report}' names those before this batch.`;
  return new SpiralError(
    'too_many_row_errors',
    `Expected at most ${counted.allowed} bad rows${share}, found ${counted.skipped}, the last being row ${row} of shard ` +
      `${shard} in batch ${at.step} of epoch ${at.epoch}: ${badCause(last)}${where} Mend the rows, or raise ` +
      '`rowErrors.max`.',
    { details: { ...counted, max, ...at, shard, row, column, report }, cause: fromWire(error) },
  );
}
