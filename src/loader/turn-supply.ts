import type { Schema } from 'apache-arrow';
import type { WindowPlace } from './batch-stream.js';
import type { EpochTurns, TurnPlace } from './epoch-turns.js';
import type { FeederPass } from './feeder-pass.js';
import { joinedBatch, rowsOf } from './joined-batch.js';
import type { BatchSupply, PassFigures, RowsBatch } from './supply.js';

/** Turns that a thread has before it: the one at hand, and one to go on with while others have theirs. */
const turnsPerThread = 2;

/**
 * The batches of an epoch that several threads draw, in order: each draws a turn, and what two turns share of a batch is
 * joined here.
 */
export class TurnSupply implements BatchSupply<RowsBatch> {
  readonly skipped: number;
  readonly place: WindowPlace;
  readonly #schema: Schema;
  readonly #batchSize: number;
  readonly #turns: EpochTurns;
  readonly #passes: FeederPass[] = [];
  /** Turns that were asked for and are not at their end. */
  #asked = 0;
  /** The pass whose turn it is. */
  #at = 0;

  /** `start` makes a thread's pass of its first turn, up to `threads` times. */
  constructor(
    {
      schema,
      batchSize,
      place,
      skipped,
    }: Pick<BatchSupply, 'place' | 'skipped'> & { schema: Schema; batchSize: number },
    turns: EpochTurns,
    threads: number,
    start: (thread: number, turn: TurnPlace) => FeederPass,
  ) {
    this.place = place;
    this.skipped = skipped;
    this.#schema = schema;
    this.#batchSize = batchSize;
    this.#turns = turns;
    for (let thread = 0; thread < threads; thread++) {
      const turn = this.#nextTurn();
      if (turn !== undefined) this.#passes.push(start(thread, turn));
    }
    for (let more = 1; more < turnsPerThread; more++) for (const pass of this.#passes) this.#ask(pass);
  }

  get depth(): number {
    return this.#passes[this.#at]?.depth ?? 0;
  }

  /** Where the epoch stands after all batches that are here, which are those that were given where the depth is 0. */
  get stands(): WindowPlace {
    return this.#passes[this.#at]?.stands ?? this.place;
  }

  get waitedMs(): number {
    return this.#passes.reduce((sum, pass) => sum + pass.waitedMs, 0);
  }

  figures(): PassFigures {
    const all = this.#passes.map((pass) => pass.figures());
    const sum = (of: (figures: PassFigures) => number): number => all.reduce((total, one) => total + of(one), 0);
    return {
      threads: Math.max(1, all.length),
      heldBytes: sum(({ heldBytes }) => heldBytes),
      peakBytes: sum(({ peakBytes }) => peakBytes),
      readAhead: all[this.#at]?.readAhead ?? { batches: 0, why: 'The epoch is at its end.' },
    };
  }

  /** What a turn has of a batch that it shares lies in a group by itself, and is not ready. */
  ready(): RowsBatch | undefined {
    return this.#passes[this.#at]?.ready();
  }

  async next(): Promise<RowsBatch | undefined> {
    const first = await this.#part();
    if (first === undefined || rowsOf(first) === this.#batchSize) return first;
    const parts = [first];
    for (let rows = rowsOf(first); rows < this.#batchSize; ) {
      const part = await this.#part();
      if (part === undefined) break;
      parts.push(part);
      rows += rowsOf(part);
    }
    return parts.length === 1 ? first : joinedBatch(this.#schema, parts);
  }

  /** Nothing more will be asked for. */
  leave(): void {
    for (const pass of this.#passes) pass.leave();
  }

  /** The next batch, or what a turn has of one. */
  async #part(): Promise<RowsBatch | undefined> {
    while (this.#asked > 0) {
      const pass = this.#passes[this.#at]!;
      const batch = await pass.next();
      // Only a transform module makes anything but rows, and then there is one thread, without turns.
      if (batch !== undefined) return batch as RowsBatch;
      this.#asked--;
      this.#ask(pass);
      this.#at = (this.#at + 1) % this.#passes.length;
    }
    this.leave();
    return undefined;
  }

  #ask(pass: FeederPass): void {
    const turn = this.#nextTurn();
    if (turn !== undefined) pass.add(turn);
  }

  #nextTurn(): TurnPlace | undefined {
    const turn = this.#turns.next();
    if (turn !== undefined) this.#asked++;
    return turn;
  }
}
