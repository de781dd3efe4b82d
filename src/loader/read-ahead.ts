import { inFlightBytesMax, windowsAheadMax } from '../core/limits.js';
import type { MemoryBudget } from './memory-budget.js';
import type { PassSettings } from './options.js';
import type { ReadAheadFigures } from './supply.js';

/** Batches that reading ahead begins with where nobody says how many: the reference's default. */
const readAheadBatches = 2;
/** Windows waited for since the last change after which twice as many are read ahead. */
const waitsMax = 3;
/** Windows that were ready, one after the other, after which half as many are. */
const readyMax = 64;

/** Bounds of a {@link ReadAhead}, in windows. */
export interface ReadAheadBounds {
  readonly from: number;
  readonly to: number;
  /** Why the bounds are what they are. */
  readonly why: string;
}

/**
 * How many windows are read ahead: between its bounds, twice as many whenever windows were waited for again and again,
 * half as many where none was for long. What is read, and in which order, never depends on it.
 */
export class ReadAhead {
  readonly #bounds: ReadAheadBounds;
  #windows: number;
  #waits = 0;
  #ready = 0;
  #why: string;

  constructor(bounds: ReadAheadBounds) {
    this.#bounds = bounds;
    this.#windows = bounds.from;
    this.#why = bounds.why;
  }

  get windows(): number {
    return this.#windows;
  }

  /** A window was wanted, and was `ready` or had to be waited for. */
  wanted(ready: boolean): void {
    const { from, to } = this.#bounds;
    this.#ready = ready ? this.#ready + 1 : 0;
    if (!ready) this.#waits++;
    if (this.#waits === waitsMax && this.#windows < to) {
      this.#change(Math.min(to, this.#windows * 2), `${waitsMax} windows of the epoch were waited for`);
    } else if (this.#ready === readyMax && this.#windows > from) {
      this.#change(Math.max(from, Math.ceil(this.#windows / 2)), `${readyMax} windows in a row were ready`);
    }
    if (this.#waits >= waitsMax) this.#waits = 0;
    if (this.#ready >= readyMax) [this.#ready, this.#waits] = [0, 0];
  }

  /** What is read ahead, in batches of which a window holds so many. */
  figures(batchesPerWindow: number): ReadAheadFigures {
    return { batches: Math.floor(this.#windows * batchesPerWindow), why: this.#why };
  }

  #change(windows: number, because: string): void {
    this.#windows = windows;
    this.#why = `Chosen: ${because} before; at most ${this.#bounds.to} windows.`;
    [this.#waits, this.#ready] = [0, 0];
  }
}

/** How far the windows of a pass may be read ahead. */
export function readAheadBounds(
  { batchReadahead, batchSize }: Pick<PassSettings, 'batchReadahead' | 'batchSize'>,
  shuffles: boolean,
  { bytesMax, plainRows, windowBytes, windowsBytesMax }: MemoryBudget,
): ReadAheadBounds {
  const windows = (batches: number): number => Math.max(1, Math.ceil((batches * batchSize) / plainRows));
  // One window is always at hand.
  const room = Math.max(0, Math.floor(windowsBytesMax / windowBytes) - 1);
  const fixed = shuffles ? 1 : batchReadahead === undefined ? undefined : windows(batchReadahead);
  if (room < (fixed ?? 1)) return { from: room, to: room, why: `Bounded by memoryBytesMax: ${bytesMax} bytes.` };
  if (shuffles) return { from: 1, to: 1, why: 'A shuffle reads one window ahead.' };
  if (fixed !== undefined) return { from: fixed, to: fixed, why: `Fixed by batchReadahead: ${batchReadahead}.` };
  const from = Math.min(room, windows(readAheadBatches));
  const to = Math.max(from, Math.min(room, windowsAheadMax, Math.floor(inFlightBytesMax / windowBytes)));
  return { from, to, why: `Chosen: windows were ready so far; at most ${to} windows.` };
}
