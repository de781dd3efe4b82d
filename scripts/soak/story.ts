import { randomStream } from '../../src/core/random.js';

/** What one commit of a writer does, in this order; keys are numbers of slots. */
export interface StoryStep {
  /** Rows written whole but for their notes. */
  readonly written: Int32Array;
  readonly deleted: Int32Array;
  /** Rows of which only the note is written. */
  readonly noted: Int32Array;
}

const none = new Int32Array(0);
/** Rows that one part of a step touches, at most. */
const rowsMax = 200;

/**
 * Step `step` (from 1) of writer `writer`. A pure function: what a writer left behind when it was killed, and what a snapshot must
 * hold, follow from the number of the step.
 */
export function storyStep(seed: number, writer: number, step: number, slots: number): StoryStep {
  if (step === 1)
    return { written: Int32Array.from({ length: Math.ceil(slots * 0.7) }, (_, at) => at), deleted: none, noted: none };
  const random = randomStream('story', seed, writer, step);
  const some = (): Int32Array => {
    const count = 1 + random.below(Math.min(rowsMax, slots >> 1));
    const stride = 1 + random.below(Math.max(1, Math.floor(slots / count)));
    const from = random.below(slots);
    return Int32Array.from({ length: count }, (_, at) => (from + at * stride) % slots).sort();
  };
  const kind = random.below(20);
  if (kind < 9) return { written: some(), deleted: none, noted: none };
  if (kind < 12) return { written: none, deleted: none, noted: some() };
  if (kind < 15) return { written: none, deleted: some(), noted: none };
  return { written: some(), deleted: some(), noted: some() };
}

/** What a writer's rows hold after a number of its steps, the head row (see `headSlot`) included. */
export class StoryModel {
  /** Of each slot the step that wrote its row, and the one that wrote its note; 0 for none. A slot with neither has no row. */
  readonly main: Int32Array;
  readonly note: Int32Array;
  readonly #seed: number;
  readonly #writer: number;
  readonly #slots: number;
  #step = 0;

  constructor(seed: number, writer: number, slots: number) {
    this.#seed = seed;
    this.#writer = writer;
    this.#slots = slots;
    this.main = new Int32Array(slots + 1);
    this.note = new Int32Array(slots + 1);
  }

  /** Goes to where `step` steps are done, forwards or back. */
  go(step: number): this {
    if (step < this.#step) {
      this.main.fill(0);
      this.note.fill(0);
      this.#step = 0;
    }
    while (this.#step < step) this.#take(++this.#step);
    return this;
  }

  #take(step: number): void {
    const { written, deleted, noted } = storyStep(this.#seed, this.#writer, step, this.#slots);
    for (const slot of written) this.main[slot] = step;
    for (const slot of deleted) this.main[slot] = this.note[slot] = 0;
    for (const slot of noted) this.note[slot] = step;
    this.main[this.#slots] = step;
  }
}

const letters = Array.from({ length: 1024 }, (_, at) => String.fromCharCode(97 + ((at * 7919 + (at >> 3)) % 26))).join(
  '',
);

/** The text of a row: of any length up to 400, and another one for each key and step. */
export function payloadOf(writer: number, slot: number, step: number): string {
  const mixed = Math.imul(Math.imul(writer + 1, 0x9e3779b1) ^ Math.imul(slot + 1, 0x85ebca6b) ^ step, 0xc2b2ae35) >>> 0;
  const from = mixed % 600;
  return `${writer}/${slot}/${step}/${letters.slice(from, from + ((mixed >>> 12) % 380))}`;
}
