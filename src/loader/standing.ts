import { wholeNumber } from '../core/check.js';
import type { OpenedSource } from './elastic.js';
import type { PassStart } from './epoch-pass.js';
import type { LoaderSettings } from './options.js';
import type { RowErrorCounts } from './row-errors.js';
import type { LoaderPosition } from './state.js';
import { stepsFrom } from './step-rows.js';
import type { SuppliedBatch } from './supply.js';

/** Where a loader stands: what its consumer has received. */
export class Standing {
  epoch: number;
  /** Batches received since epoch 0. */
  step = 0;
  /** Those received before the epoch. */
  epochStep = 0;
  /** Rows received within the epoch. */
  samples: number;
  start: PassStart;
  /** Batches that the state was moved by and that are counted in `step` only, until the source is open. */
  skip = 0;

  /** @throws SpiralError `invalid_size`. */
  constructor({ epoch = 0, skipSamples = 0 }: { readonly epoch?: number; readonly skipSamples?: number }) {
    this.epoch = wholeNumber('epoch', epoch);
    this.samples = wholeNumber('skipSamples', skipSamples, { unit: 'rows' });
    this.start = { skip: this.samples };
  }

  position(rowErrors: RowErrorCounts | undefined): LoaderPosition {
    const { epoch, step, epochStep, samples, start, skip } = this;
    return { epoch, step, epochStep, samples, start, skip, rowErrors };
  }

  restore({ epoch, step, epochStep, samples, start, skip }: LoaderPosition): void {
    [this.epoch, this.step, this.epochStep, this.samples] = [epoch, step, epochStep, samples];
    [this.start, this.skip] = [start, skip];
  }

  /** `drawn`, of `rows` rows, was received. */
  receive({ after }: SuppliedBatch, rows: number): void {
    this.samples += rows;
    this.step++;
    this.start = { place: after };
  }

  /** Back to the first sample of the epoch. */
  restart(): void {
    this.samples = 0;
    this.start = { place: { start: 0, taken: 0 } };
  }

  /** Goes over {@link skip}, now that `opened` tells how many batches an epoch has. */
  async goOver(
    opened: OpenedSource,
    settings: LoaderSettings,
    rowErrors: RowErrorCounts | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const from = { ...this.position(rowErrors), step: this.step - this.skip };
    const { epoch, epochStep, samples } = await stepsFrom(opened, settings, from, this.skip, signal);
    [this.epoch, this.epochStep, this.samples, this.skip] = [epoch, epochStep, samples, 0];
    this.start = samples === 0 ? { place: { start: 0, taken: 0 } } : { skip: samples };
  }
}
