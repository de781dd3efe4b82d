import { closeSync, openSync, writeSync } from 'node:fs';
import type { RecordBatch } from 'apache-arrow';

/**
 * Which images each step was trained on, for the test that kills this example: a line `step id id …`, appended when the
 * step is over and before its checkpoint, by a plain write, which a killed process has done or has not.
 */
export class IdsLog {
  private readonly file: number | undefined;
  private ids: Iterable<bigint> = [];

  constructor(path: string | undefined) {
    this.file = path === undefined ? undefined : openSync(path, 'a');
  }

  /** A transform that changes nothing: it sees each batch just before the step that trains on it. */
  readonly remember = (batch: RecordBatch): RecordBatch => {
    this.ids = batch.getChild('id')!.toArray() as BigInt64Array;
    return batch;
  };

  write(step: number): void {
    if (this.file !== undefined) writeSync(this.file, `${[step, ...this.ids].join(' ')}\n`);
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
  }
}
