import { stretchAt } from '../core/search.js';
import type { Chunks } from './chunks.js';

/**
 * Where stream positions lie: the chunks of a group are read row by row in turn, a chunk that has ended leaving its turn
 * to the others. Everything here is arithmetic on the chunks' lengths.
 */
export class Lanes {
  readonly #chunks: Chunks;
  #group = -1;
  #phases: Phase[] = [];

  constructor(chunks: Chunks) {
    this.#chunks = chunks;
  }

  /** Rows of the whole stream. */
  get rows(): number {
    return this.#chunks.groupStart.at(-1)!;
  }

  /**
   * Writes, for the positions `start … end`, the chunk of each and its row in that chunk, into `chunk` and `row` from
   * index 0 on.
   */
  locate(start: number, end: number, chunk: Int32Array, row: Int32Array): void {
    let at = 0;
    let position = start;
    while (position < end) {
      const group = this.groupAt(position);
      const base = this.#chunks.groupStart[group]!;
      const stop = Math.min(end, this.#chunks.groupStart[group + 1]!);
      for (const phase of this.#phasesOf(group)) {
        if (position >= stop) break;
        const within = position - base - phase.start;
        const size = phase.rounds * phase.active.length;
        if (within >= size) continue;
        const take = Math.min(stop - position, size - within);
        fillPhase(phase, within, take, chunk, row, at);
        at += take;
        position += take;
      }
    }
  }

  /** How many rows of each chunk of the group that holds `position` come before it; and which group that is. */
  progress(position: number): { readonly group: number; readonly rows: Uint32Array } {
    const group = this.groupAt(position);
    const first = group * this.#chunks.lanes;
    const rows = new Uint32Array(Math.min(this.#chunks.lanes, this.#chunks.count - first));
    const within = position - this.#chunks.groupStart[group]!;
    for (const phase of this.#phasesOf(group)) {
      const turns = Math.min(within - phase.start, phase.rounds * phase.active.length);
      if (turns <= 0) break;
      const round = Math.floor(turns / phase.active.length);
      const turn = turns % phase.active.length;
      for (const [at, chunk] of phase.active.entries()) rows[chunk - first]! += round + (at < turn ? 1 : 0);
    }
    return { group, rows };
  }

  /** The group of chunks that position lies in. */
  groupAt(position: number): number {
    return stretchAt(this.#chunks.groupStart, position);
  }

  #phasesOf(group: number): Phase[] {
    if (group !== this.#group) {
      this.#group = group;
      this.#phases = phases(this.#chunks, group);
    }
    return this.#phases;
  }
}

/** Rounds in which the same lanes take their turns. */
interface Phase {
  /** Positions of the group before this phase. */
  readonly start: number;
  readonly firstRow: number;
  readonly rounds: number;
  /** The chunks whose turns make a round, in order. */
  readonly active: Int32Array;
}

function phases(chunks: Chunks, group: number): Phase[] {
  const first = group * chunks.lanes;
  const members = Array.from({ length: Math.min(chunks.lanes, chunks.count - first) }, (_, lane) => first + lane);
  const ends = [...new Set(members.map((chunk) => chunks.rows[chunk]!))].sort((a, b) => a - b);
  const found: Phase[] = [];
  let row = 0;
  let start = 0;
  for (const end of ends) {
    const active = Int32Array.from(members.filter((chunk) => chunks.rows[chunk]! >= end));
    found.push({ start, firstRow: row, rounds: end - row, active });
    start += (end - row) * active.length;
    row = end;
  }
  return found;
}

function fillPhase(phase: Phase, within: number, take: number, chunk: Int32Array, row: Int32Array, into: number): void {
  const { active } = phase;
  const lanes = active.length;
  let turn = within % lanes;
  let round = phase.firstRow + Math.floor(within / lanes);
  for (let at = into; at < into + take; at++) {
    chunk[at] = active[turn]!;
    row[at] = round;
    if (++turn === lanes) {
      turn = 0;
      round++;
    }
  }
}
