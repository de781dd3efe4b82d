import { callBytes } from '../core/limits.js';
import { after, monotonicMs } from '../core/runtime.js';

/** Places in the shared memory: how many parcels main has taken, and the number at which it calls. */
const [takenAt, callAt] = [0, 1];
/** The share of what was on the way that is left when main calls, */
const callShare = 1 / 4;
/** and that should be left when the feeder looks by itself. */
const lookShare = 1 / 2;
/** Milliseconds after which it looks by itself. A slower consumer is not held up by calling, a quicker one is not waited for. */
const [lookMsMin, lookMsMax] = [1, 1000];

/** What is sent at once and taken at once: batches drawn together, or a result. */
interface Parcel {
  readonly batches: number;
  readonly bytes: number;
}

/** Main's side of {@link InFlight}: how many parcels of a pass it has taken, in memory that the feeder sees as well. */
export class TakenParcels {
  readonly shared: Int32Array = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));

  /** Counts one. True where the feeder asked to be called at it. */
  add(): boolean {
    return Atomics.add(this.shared, takenAt, 1) + 1 === Atomics.load(this.shared, callAt);
  }
}

/**
 * The feeder's side: what is on its way to main. To be told costs main a system call, which often stops it for as long as the
 * woken thread then works, where a machine's idle cores are asleep. So main counts in shared memory, and a feeder that waits
 * for room looks there by itself when half of what was on its way should be taken, as fast as main took before. Main calls it
 * where it was quicker than that.
 */
export class InFlight {
  readonly #shared: Int32Array;
  readonly #hold: (bytes: number) => void;
  readonly #parcels: Parcel[] = [];
  #looked = 0;
  #batches = 0;
  #bytes = 0;
  #resume: (() => void) | undefined;
  /** Bytes a millisecond, in the wait before. */
  #rate = 0;

  /** @param hold is told of bytes that are on their way, and of those that no longer are by a negative number. */
  constructor(shared: Int32Array, hold: (bytes: number) => void) {
    this.#shared = shared;
    this.#hold = hold;
  }

  /** Batches on their way, as far as was looked. */
  get batches(): number {
    return this.#batches;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(parcel: Parcel): void {
    this.#parcels.push(parcel);
    this.#count(parcel, 1);
  }

  /** Looks what main has taken. */
  look(): void {
    const taken = Atomics.load(this.#shared, takenAt);
    for (; this.#looked < taken; this.#looked++) this.#count(this.#parcels.shift()!, -1);
  }

  /** Resolves when it is time to look, or with a {@link call}. */
  async wait(): Promise<void> {
    const [beginMs, before] = [monotonicMs(), this.#bytes];
    Atomics.store(this.#shared, callAt, this.#looked + this.#parcelsToCall());
    // Main may have taken it meanwhile, before it could see that it is to call.
    if (Atomics.load(this.#shared, takenAt) === this.#looked) await this.#timeOrCall();
    this.look();
    const ms = monotonicMs() - beginMs;
    if (ms > 0) this.#rate = (before - this.#bytes) / ms;
  }

  /** Main's call, or another reason to look at once. */
  call(): void {
    this.#resume?.();
  }

  async #timeOrCall(): Promise<void> {
    const ms = (this.#bytes * (1 - lookShare)) / this.#rate;
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      // Of a consumer that took nothing, nothing is known: it calls.
      if (ms >= lookMsMin && ms <= lookMsMax) cancel = after(ms, resolve);
    });
    cancel?.();
    this.#resume = undefined;
    Atomics.store(this.#shared, callAt, 0);
  }

  /** How many more main takes before it calls: large ones one by one, small ones until few bytes are left, never the last. */
  #parcelsToCall(): number {
    let left = this.#bytes;
    let count = 0;
    while (count < this.#parcels.length - 1 && left > callShare * this.#bytes) {
      const { bytes } = this.#parcels[count]!;
      left -= bytes;
      count++;
      if (bytes >= callBytes) break;
    }
    return Math.max(1, count);
  }

  #count({ batches, bytes }: Parcel, sign: 1 | -1): void {
    this.#batches += sign * batches;
    this.#bytes += sign * bytes;
    this.#hold(sign * bytes);
  }
}
