import type { Schema } from 'apache-arrow';
import { abortable, checkSignal } from '../core/abort.js';
import { goodPlaces, noBadRows } from './bad-row.js';
import { GroupCutter, type GroupSupply, groupSize, type HeldGroup } from './batch-group.js';
import type { BatchMapper, GroupPart } from './batch-mapper.js';
import type { WindowPlace } from './batch-stream.js';
import { MapInPlace } from './map-in-place.js';
import { MapPool } from './map-pool.js';
import type { MapPlace } from './map-protocol.js';
import { resultBytes, type TimedResult } from './map-result.js';
import type { MapSettings } from './options.js';
import { pickRowIds } from './row-ids.js';
import type { BatchSupply, MappedBatch, PassFigures, RowsBatch } from './supply.js';

/** What runs the transform of `settings`, in map workers or, with `mapWorkers: 0`, in this thread. */
export function openMapper(settings: MapSettings, schema: Schema): BatchMapper {
  return settings.mapWorkers === 0 ? new MapInPlace(settings) : new MapPool(settings, schema);
}

const nothing: Promise<TimedResult> = Promise.resolve({ mapped: null, bad: noBadRows, mapMs: 0 });

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
  readonly #upstream: GroupSupply;
  readonly #mapper: BatchMapper;
  readonly #signal: AbortSignal;
  readonly #turns: Turn[] = [];
  #next: MapPlace;
  /** Bytes of a batch drawn last. */
  #lastBytes = 0;
  /** Batches that are drawn together. */
  #together = 1;
  #filling: Promise<void> | undefined;
  #ended = false;

  constructor(upstream: GroupSupply, mapper: BatchMapper, first: MapPlace, signal: AbortSignal) {
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
      // To wait for the first of several costs more than all else here.
      if (turn.done) checkSignal(this.#signal, 'The data loader');
      const batch = await (turn.done ? turn.batch : abortable(turn.batch, this.#signal, 'The data loader'));
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
        const group = await this.#upstream.nextHeld(this.#together);
        if (group === undefined) this.#ended = true;
        else this.#start(group);
      } catch (error) {
        // Met in its turn, behind the batches drawn before.
        this.#ended = true;
        const batch = Promise.reject(error);
        batch.catch(() => {});
        this.#turns.push({ batch, bytes: 0, done: true });
      }
    }
  }

  #start(group: HeldGroup): void {
    const cutter = new GroupCutter(group.batch, group.rowIds, group);
    const batches: { drawn: RowsBatch; part: GroupPart }[] = [];
    for (let from = 0; cutter.left > 0; ) {
      const drawn = cutter.next();
      batches.push({ drawn, part: { from, rowIds: drawn.rowIds, place: this.#next } });
      this.#next = { ...this.#next, step: this.#next.step + 1 };
      from += drawn.rowIds.length;
    }
    const parts = batches.map(({ part }) => part).filter(({ rowIds }) => rowIds.length > 0);
    const results = parts.length === 0 ? [] : this.#mapper.map(group, parts, this.#signal);
    let at = 0;
    // None of its rows could be read: there is nothing to transform.
    for (const { drawn } of batches) this.#turn(drawn, drawn.rowIds.length === 0 ? nothing : results[at++]!);
    void Promise.allSettled(results).then(() => group.done());
    this.#lastBytes = batches[0]!.drawn.bytes * this.#copies;
    // Where memory is short, one by one.
    const most = groupSize(group.bytes, group.count, this.#upstream.budget.sentGroupBytesMax);
    this.#together = this.#limited ? 1 : Math.min(this.#mapper.together, most);
  }

  #turn({ rowIds, bad: unreadable, bytes: drawnBytes, after, times }: RowsBatch, result: Promise<TimedResult>): void {
    const { ledger } = this.#upstream;
    const bytes = drawnBytes * this.#copies;
    ledger.add(bytes);
    const turn = { bytes, done: false } as { -readonly [K in keyof Turn]: Turn[K] };
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

  /** Under a limit a copy of a batch is kept until it is mapped, else what it was drawn from. */
  get #copies(): number {
    return this.#limited ? 2 : 1;
  }

  get #limited(): boolean {
    return this.#upstream.budget.bytesMax !== undefined;
  }

  #full(): boolean {
    const { min, max } = this.#mapper.ahead;
    const [count, together] = [this.#turns.length, this.#together];
    if (count < (this.#limited ? 1 : min)) return false;
    const held = this.#turns.reduce((sum, { bytes }) => sum + bytes, 0);
    return count > (max - 1) * together || held + together * this.#lastBytes > this.#upstream.budget.mapBytesMax;
  }
}
