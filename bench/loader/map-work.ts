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

/** Calls of a function that takes a hundredth of a millisecond or so. */
const callsPerMs = 100;
const roundsPerCall = 6000;

function computing(ms: number): (batch: RecordBatch) => Mapped {
  return (batch) => {
    let state = batch.numRows | 1;
    for (let call = ms * callsPerMs; call > 0; call--) state = computed(state);
    return mapped(batch, Int32Array.of(state));
  };
}

/**
 * Called often and always with a 32-bit number, so that V8 compiles it well on every thread. Of one long loop, in which now
 * and then a number becomes a double, some threads get slow code for good.
 */
function computed(from: number): number {
  let state = from;
  for (let round = roundsPerCall; round > 0; round--) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + round) | 0;
  }
  return state;
}

function mapped(batch: RecordBatch, values: Int32Array<ArrayBuffer>): Mapped {
  const ids = batch.data.children[0]!.values as BigInt64Array;
  return { first: Number(ids[0]!), rows: batch.numRows, values };
}
