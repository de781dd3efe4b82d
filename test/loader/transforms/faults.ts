import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { RecordBatch } from 'apache-arrow';
import type { TransformContext } from '../../../src/loader/transform.js';
import { firstTime, marksFolder } from './marks.js';
import { type Told, tell } from './samples.js';

/** Ends its thread the first time that it sees one of every four batches, in a way that the step decides. */
export function dieOnce(batch: RecordBatch, context: TransformContext): Told | Promise<Told> {
  if (context.step % 4 === 2 && firstTime(`died-${context.epoch}-${context.step}`)) {
    if (context.step % 8 === 2) process.exit(3);
    setImmediate(() => {
      throw new Error('thrown outside');
    });
    return new Promise(() => {});
  }
  return tell(batch, context);
}

/** Ends its thread the first time that it sees one of every 20 batches. */
export function dieSeldom(batch: RecordBatch, context: TransformContext): Told {
  if (context.step % 20 === 9 && firstTime(`seldom-${context.epoch}-${context.step}`)) process.exit(3);
  return tell(batch, context);
}

/** Hangs the first time that it sees batches 1 and 4, computing and waiting. */
export function hangOnce(batch: RecordBatch, context: TransformContext): Told | Promise<Told> {
  if (context.step === 1 && firstTime('hung-1')) for (;;);
  if (context.step === 4 && firstTime('hung-4')) return new Promise(() => {});
  return tell(batch, context);
}

/** Ends its thread on batch 5, always. */
export function dieAtFive(batch: RecordBatch, context: TransformContext): Told {
  if (context.step === 5) process.exit(7);
  return tell(batch, context);
}

/** Never answers for batch 3. */
export function hangAtThree(batch: RecordBatch, context: TransformContext): Told | Promise<Told> {
  return context.step === 3 ? new Promise(() => {}) : tell(batch, context);
}

/** Throws on batch 4. */
export function throwAtFour(batch: RecordBatch, context: TransformContext): Told {
  if (context.step === 4) throw new RangeError('four is too many', { cause: new Error('the cause beneath') });
  return tell(batch, context);
}

/** Throws on batch 60. */
export function throwAtSixty(batch: RecordBatch, context: TransformContext): Told {
  if (context.step === 60) throw new RangeError('sixty is too many');
  return tell(batch, context);
}

/** Returns nothing for batch 2. */
export function nothingAtTwo(batch: RecordBatch, context: TransformContext): Told | undefined {
  return context.step === 2 ? undefined : tell(batch, context);
}

/** Returns what cannot leave a thread for batch 1. */
export function functionAtOne(batch: RecordBatch, context: TransformContext): unknown {
  return context.step === 1 ? { deep: [1, { call: () => 1 }] } : tell(batch, context);
}

let ready = false;

/** Writes a line for each worker that it sets up. */
export async function prepare(): Promise<void> {
  appendFileSync(join(marksFolder(), 'setups'), `${threadId}\n`);
  await new Promise((resolve) => setTimeout(resolve, 5));
  ready = true;
}

/** Fails unless {@link prepare} has ended in its thread. */
export function tellPrepared(batch: RecordBatch, context: TransformContext): Told {
  if (!ready) throw new Error('The setup has not run.');
  return tell(batch, context);
}

export function failToPrepare(): void {
  throw new Error('no vocabulary');
}
