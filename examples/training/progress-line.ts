import type { CustomCallback } from '@tensorflow/tfjs';
import type { BatchSource, Tf, TfDataset } from 'spiral-loader/tfjs';

/** What the line is about. */
export interface ProgressOptions {
  readonly epochs: number;
  /** Rows of one epoch. */
  readonly rows: number;
  readonly loader: BatchSource;
  readonly dataset: TfDataset;
  readonly backend: string;
}

/** How training goes: one line that is rewritten in a terminal, a plain line every few seconds elsewhere. */
export class ProgressLine {
  private readonly options: ProgressOptions;
  private readonly terminal = process.stdout.isTTY === true;
  private readonly started = performance.now();
  private shownAt = performance.now();
  private samples = 0;
  private epochSamples = 0;
  private losses = new Recent();
  private accuracies = new Recent();

  constructor(options: ProgressOptions) {
    this.options = options;
  }

  /** Counts each step and shows the line when it is time. */
  callback(tf: Tf): CustomCallback {
    return new tf.CustomCallback({
      onEpochBegin: () => {
        this.epochSamples = 0;
      },
      onBatchEnd: (_, logs) => {
        const size = logs!['size'] as number;
        this.samples += size;
        this.epochSamples += size;
        this.losses.add(logs!['loss'] as number);
        this.accuracies.add(logs!['acc'] as number);
        const pause = this.terminal ? 100 : 3000;
        if (performance.now() - this.shownAt >= pause) this.show();
      },
    });
  }

  /** The last line, which stays. */
  end(): void {
    if (this.samples > 0) this.show();
    if (this.terminal) process.stdout.write('\n');
  }

  private show(): void {
    this.shownAt = performance.now();
    process.stdout.write(this.terminal ? `\r${this.line()}\x1b[K` : `${this.line()}\n`);
  }

  private line(): string {
    const { epochs, rows, loader, dataset, backend } = this.options;
    const rate = this.samples / ((performance.now() - this.started) / 1000);
    const epoch = Math.min(loader.epoch, epochs - 1);
    const left = Math.max(0, epochs - loader.epoch) * rows - (loader.epoch < epochs ? this.epochSamples : 0);
    return [
      `epoch ${epoch + 1}/${epochs}`,
      `step ${loader.step}`,
      `loss ${this.losses.mean().toFixed(4)}`,
      `accuracy ${(this.accuracies.mean() * 100).toFixed(1)} %`,
      `${Math.round(rate)} samples/s`,
      `data wait ${(dataset.stats().waitShare * 100).toFixed(1)} %`,
      `ETA ${Math.ceil(Math.max(0, left) / rate)} s`,
      `(${backend})`,
    ].join('  ');
  }
}

/** The mean of the last 50 numbers. */
class Recent {
  private readonly numbers: number[] = [];

  add(value: number): void {
    this.numbers.push(value);
    if (this.numbers.length > 50) this.numbers.shift();
  }

  mean(): number {
    return this.numbers.reduce((sum, value) => sum + value, 0) / Math.max(1, this.numbers.length);
  }
}
