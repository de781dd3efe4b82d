import { monotonicMs } from './runtime.js';

/** What a {@link RecentMap} keeps at most. */
export interface RecentBounds {
  /** Entries. */
  readonly countMax: number;
  /** Bytes of all together, as they were weighed. */
  readonly bytesMax: number;
  /** Milliseconds for which an entry stays without being used. */
  readonly idleMsMax: number;
}

interface Entry<Value> {
  readonly value: Value;
  bytes: number;
  usedMs: number;
}

/**
 * Values by their names, as long as they are used: within bounds, those not used for longest let go first. Bounds are seen to
 * whenever something is added or weighed, and hold but for the entry used last, which somebody is about to use.
 */
export class RecentMap<Value> {
  readonly #bounds: RecentBounds;
  readonly #onGone: (value: Value) => void;
  readonly #now: () => number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<Value>>();
  #bytes = 0;

  /**
   * @param onGone told of each value that is let go or deleted.
   * @param now the clock, in milliseconds.
   */
  constructor(bounds: RecentBounds, onGone: (value: Value) => void = () => {}, now: () => number = monotonicMs) {
    this.#bounds = bounds;
    this.#onGone = onGone;
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of all that is kept, as weighed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value of `name`, which is used with that; undefined where it is not kept. */
  use(name: string): Value | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    entry.usedMs = this.#now();
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.value;
  }

  /** Keeps `value` as `name`, in the place of what was. */
  add(name: string, value: Value, bytes = 0): void {
    this.#drop(name);
    this.#entries.set(name, { value, bytes, usedMs: this.#now() });
    this.#bytes += bytes;
    this.#shrink();
  }

  /** Says that `value` has `bytes` bytes by now, if it is still kept as `name`. */
  weigh(name: string, value: Value, bytes: number): void {
    const entry = this.#entries.get(name);
    if (entry?.value !== value) return;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    this.#shrink();
  }

  /** Lets go of `value`, if it is kept as `name`. */
  delete(name: string, value: Value): void {
    if (this.#entries.get(name)?.value === value) this.#drop(name);
  }

  #shrink(): void {
    const { countMax, bytesMax, idleMsMax } = this.#bounds;
    const idleBefore = this.#now() - idleMsMax;
    for (const [name, { usedMs }] of this.#entries) {
      const isWithin = this.#entries.size <= countMax && this.#bytes <= bytesMax && usedMs >= idleBefore;
      if (isWithin || this.#entries.size === 1) return;
      this.#drop(name);
    }
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
    this.#onGone(entry.value);
  }
}
