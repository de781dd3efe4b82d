import type { Schema } from 'apache-arrow';
import { abortable } from '../core/abort.js';
import { goodPlaces, noBadRows } from './bad-row.js';
import type { GroupSupply } from './batch-group.js';
import type { BatchMapper } from './batch-mapper.js';
import type { DrawnBatch, WindowPlace } from './batch-stream.js';
import { MapInPlace } from './map-in-place.js';
import { MapPool } from './map-pool.js';
import type { MapPlace } from './map-protocol.js';
import { resultBytes, type TimedResult } from './map-result.js';
import type { MapSettings } from './options.js';
import { pickRowIds } from './row-ids.js';
import type { BatchSupply, MappedBatch, PassFigures } from './supply.js';

/** What runs the transform of `settings`, in map workers or, with `mapWorkers: 0`, in this thread. */
export function openMapper(settings: MapSettings, schema: Schema): BatchMapper {
  return settings.mapWorkers === 0 ? new MapInPlace(settings) : new MapPool(settings, schema);
}

/** A batch that was handed to the mapper, in its turn. */
interface Turn {
  readonly batch: Promise<MappedBatch>;
  /** Bytes that it holds: the batch's, then the result's. */
  readonly bytes: number;
  readonly done: boolean;
}

/**
 * What a transform makes of the batches of `upstream`, in their order whichever is done first. Batches and bytes under
 * way are bounded; an error surfaces at the position of its batch.
 */
export class MapSupply implements BatchSupply<MappedBatch> {
  readonly skipped: number;
  readonly place: WindowPlace;
  readonly #upstream: BatchSupply<DrawnBatch> & GroupSupply;
  readonly #mapper: BatchMapper;
  readonly #signal: AbortSignal;
  readonly #turns: Turn[] = [];
  #next: MapPlace;
  /** Bytes of the batch drawn last. */
  #lastBytes = 0;
  #filling: Promise<void> | undefined;
  #ended = false;

  constructor(
    upstream: BatchSupply<DrawnBatch> & GroupSupply,
    mapper: BatchMapper,
    first: MapPlace,
    signal: AbortSignal,
  ) {
    this.skipped = upstream.skipped;
    this.place = upstream.place;
    this.#upstream = upstream;
    this.#mapper = mapper;
    this.#next = first;
    this.#signal = signal;
    mapper.begin();
  }

  get depth(): number {
    const waiting = this.#turns.findIndex(({ done }) => !done);
    return waiting === -1 ? this.#turns.length : waiting;
  }

  async next(): Promise<MappedBatch | undefined> {
    for (;;) {
      this.#fill();
      const turn = this.#turns[0];
      if (turn === undefined) {
        if (this.#ended) return undefined;
        await abortable(this.#filling!, this.#signal, 'The data loader');
        continue;
      }
      const batch = await abortable(turn.batch, this.#signal, 'The data loader');
      this.#turns.shift();
      this.#upstream.ledger.add(-turn.bytes);
      this.#fill();
      return batch;
    }
  }

  figures(): PassFigures {
    return this.#upstream.figures();
  }

  /** Draws batches until enough are under way; the workers then go on by themselves. */
  #fill(): void {
    if (this.#filling !== undefined || this.#ended || this.#full()) return;
    this.#filling = this.#draw().finally(() => {
      this.#filling = undefined;
    });
  }

  async #draw(): Promise<void> {
    while (!this.#ended && !this.#full() && !this.#signal.aborted) {
      try {
        const drawn = await this.#upstream.next();
        if (drawn === undefined) this.#ended = true;
        else this.#start(drawn);
      } catch (error) {
        // Met in its turn, behind the batches drawn before.
        this.#ended = true;
        const batch = Promise.reject(error);
        batch.catch(() => {});
        this.#turns.push({ batch, bytes: 0, done: true });
      }
    }
  }

  #start(drawn: DrawnBatch): void {
    const { rowIds, bad: unreadable, after, times } = drawn;
    const place = this.#next;
    this.#next = { ...place, step: place.step + 1 };
    const { ledger } = this.#upstream;
    // Under a limit a copy of the batch is kept until it is mapped, else what it was drawn from.
    const bytes = drawn.bytes * (this.#limited ? 2 : 1);
    ledger.add(bytes);
    this.#lastBytes = bytes;
    const turn = { bytes, done: false } as { -readonly [K in keyof Turn]: Turn[K] };
    const result = this.#mapped(drawn, place).finally(() => drawn.done());
    turn.batch = result.then(({ mapped, bad, mapMs }) => {
      turn.bytes = resultBytes(mapped);
      ledger.add(turn.bytes - bytes);
      turn.done = true;
      const good = bad.length === 0 ? rowIds : pickRowIds(rowIds, goodPlaces(rowIds.length, bad));
      return { mapped, rowIds: good, bad: [...unreadable, ...bad], after, times: { ...times, mapMs } };
    });
    turn.batch.catch(() => {});
    this.#turns.push(turn);
  }

  #mapped(drawn: DrawnBatch, place: MapPlace): Promise<TimedResult> {
    if (drawn.rowIds.length > 0) return this.#mapper.map(drawn, place, this.#signal);
    // None of its rows could be read: there is nothing to transform.
    return Promise.resolve({ mapped: null, bad: noBadRows, mapMs: 0 });
  }

  get #limited(): boolean {
    return this.#upstream.budget.bytesMax !== undefined;
  }

  #full(): boolean {
    const { min, max } = this.#mapper.ahead;
    const count = this.#turns.length;
    if (count < (this.#limited ? 1 : min)) return false;
    const held = this.#turns.reduce((sum, { bytes }) => sum + bytes, 0);
    return count >= max || held + this.#lastBytes > this.#upstream.budget.mapBytesMax;
  }
}
