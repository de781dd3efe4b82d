import { SpiralError } from '../../src/core/errors.js';
import { type RandomStream, randomStream } from '../../src/core/random.js';
import { sleep } from '../../src/core/runtime.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from '../../src/storage/store.js';

/** Shares of reads that go wrong in each way. */
export interface Flakiness {
  readonly fail?: number;
  readonly truncate?: number;
  readonly corrupt?: number;
  /** Never answers, whatever the signal says. */
  readonly stall?: number;
  readonly delayMsMax?: number;
}

/** A store whose reads fail, stall, come short or come wrong at random; `wrong` counts the answers that lied. */
export class FlakyStore implements ObjectStore {
  readonly uri: string;
  reads = 0;
  wrong = 0;
  readonly #store: ObjectStore;
  readonly #random: RandomStream;
  /** May be changed meanwhile. */
  flakiness: Flakiness;

  constructor(store: ObjectStore, seed: number, flakiness: Flakiness) {
    this.uri = store.uri;
    this.#store = store;
    this.#random = randomStream('flaky', seed);
    this.flakiness = flakiness;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#spoil(await this.#read(() => this.#store.get(path, options)));
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    const bytes = this.#spoil(await this.#read(() => this.#store.getRange(path, offset, length, options)));
    if (bytes.length === length) return bytes;
    throw new SpiralError('corrupt_file', `Expected ${length} bytes, found ${bytes.length}.`);
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    const tail = await this.#read(() => this.#store.getTail(path, length, options));
    const bytes = this.#spoil(tail.bytes);
    return { bytes, size: tail.size - (tail.bytes.length - bytes.length) };
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#read(() => this.#store.head(path, options));
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#store.put(path, body, options);
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#store.putIfAbsent(path, body, options);
  }

  list(prefix: string, options?: StoreOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#store.delete(path, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    const { fail = 0, stall = 0, delayMsMax = 0 } = this.flakiness;
    this.reads++;
    const draw = this.#random.unit();
    if (delayMsMax > 0) await sleep(delayMsMax * this.#random.unit());
    if (draw < stall) return new Promise<T>(() => {});
    if (draw < stall + fail) throw new SpiralError('unavailable', 'The flaky store failed.');
    return work();
  }

  #spoil(bytes: Uint8Array): Uint8Array {
    const { truncate = 0, corrupt = 0 } = this.flakiness;
    const draw = this.#random.unit();
    if (bytes.length === 0 || draw >= truncate + corrupt) return bytes;
    this.wrong++;
    if (draw < truncate) return bytes.subarray(0, this.#random.below(bytes.length));
    const spoiled = Uint8Array.from(bytes);
    spoiled[this.#random.below(bytes.length)]! ^= 1 + this.#random.below(255);
    return spoiled;
  }
}
