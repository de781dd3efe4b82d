import type { RecordBatch, Utf8, Vector } from 'apache-arrow';
import { encode } from 'gpt-tokenizer/encoding/r50k_base';

/** What a transform gives of a batch; `first` is the id of its first row, which tells whether batches came in order. */
export interface Mapped {
  readonly first: number;
  readonly rows: number;
  readonly values: Int32Array<ArrayBuffer>;
}

/** The tokens of a batch of paragraphs, one paragraph after the other. */
export function tokenize(batch: RecordBatch): Mapped {
  const texts = batch.getChild('text') as Vector<Utf8>;
  const tokens: number[] = [];
  for (let row = 0; row < batch.numRows; row++) {
    for (const token of encode(texts.get(row)!)) tokens.push(token);
  }
  return mapped(batch, Int32Array.from(tokens));
}

/** Computes for about a millisecond: a number of rounds, as time would pass for a thread that does not run, too. */
export const work1: (batch: RecordBatch) => Mapped = computing(1);
/** The same for five milliseconds. */
export const work5: (batch: RecordBatch) => Mapped = computing(5);
/** The same for twenty. */
export const work20: (batch: RecordBatch) => Mapped = computing(20);

/** Copies a column of the wide rows, so that a batch of a batch's size goes out. */
export function passOn(batch: RecordBatch): Mapped {
  const [, , text] = batch.data.children;
  const offsets = text!.valueOffsets as Int32Array;
  const bytes = (text!.values as Uint8Array).subarray(offsets[0], offsets[batch.numRows]);
  const values = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(values.buffer).set(bytes);
  return mapped(batch, values);
}

/** Names of the transforms that are measured. */
export type MapWork = 'tokenize' | 'work1' | 'work5' | 'work20';

const roundsPerMs = 600_000;

function computing(ms: number): (batch: RecordBatch) => Mapped {
  return (batch) => {
    let state = batch.numRows | 1;
    // A state that leaves 32 bits now and then is a double: V8 then compiles some of the functions and threads well, others not.
    for (let round = ms * roundsPerMs; round > 0; round--)
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + round) | 0;
    return mapped(batch, Int32Array.of(state));
  };
}

function mapped(batch: RecordBatch, values: Int32Array<ArrayBuffer>): Mapped {
  const ids = batch.data.children[0]!.values as BigInt64Array;
  return { first: Number(ids[0]!), rows: batch.numRows, values };
}
