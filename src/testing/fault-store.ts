import { isSpiralError, SpiralError } from '../core/errors.js';
import { randomStream } from '../core/random.js';
import { sleep } from '../core/runtime.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from '../storage/store.js';

/** The operations of a store, by name. */
export type StoreOperation = 'get' | 'getRange' | 'getTail' | 'head' | 'put' | 'putIfAbsent' | 'list' | 'delete';

/** One operation that a fault store was asked for. */
export interface OperationRecord {
  readonly op: StoreOperation;
  /** The prefix, for `list`. */
  readonly path: string;
}

/** What a fault store does to operations. Everything left out does not happen; shares are in `[0, 1]`. */
export interface FaultPlan {
  /** Names the random stream of each operation, together with its number: default 0. */
  readonly seed?: number;
  /** Share of operations that fail with `unavailable` and take no effect. */
  readonly failShare?: number;
  /** Share of operations that take effect, and fail with `unavailable` nonetheless: the answer was lost. */
  readonly loseAnswerShare?: number;
  /** Each operation waits up to so many milliseconds before it begins, so that concurrent ones change places. */
  readonly delayMsMax?: number;
  /** The operations that shares and delays apply to: default all. A crash applies to any. */
  readonly only?: (record: OperationRecord) => boolean;
  /** Operation number `crashAfter` (the first is 1) throws, and every later one: the process is dead. */
  readonly crashAfter?: number;
  /**
   * What became of the operation that crashed: 'before' (default) no effect; 'after' it took effect; 'during' a put's
   * body was half written, so nothing may be visible, and for other operations the same as 'before'.
   */
  readonly crash?: 'before' | 'during' | 'after';
}

/** A store that fails by plan, and tells what was asked of it. */
export interface FaultStore extends ObjectStore {
  /** Operations begun so far: a crash test runs once without a plan, then once for each number up to this. */
  readonly operations: number;
  /** The operations begun, in order. */
  readonly log: readonly OperationRecord[];
  /** Whether the crash has happened. */
  readonly crashed: boolean;
}

/**
 * Wraps `store` for tests: fails, delays, loses answers or crashes by `plan`, the same way on every run for operations
 * begun in the same order. Closing it leaves `store` open, which is then what the next process finds.
 */
export function faultStore(store: ObjectStore, plan: FaultPlan = {}): FaultStore {
  return new PlannedFaults(store, plan);
}

/** Whether `error` is the crash of a fault store, or an operation refused after it. */
export function isCrash(error: unknown): error is SpiralError {
  return isSpiralError(error, 'unavailable') && error.details['crash'] === true;
}

/** What the plan says of one operation. */
interface Fate {
  readonly delayMs: number;
  readonly before: SpiralError | undefined;
  readonly during: SpiralError | undefined;
  readonly after: SpiralError | undefined;
}

class PlannedFaults implements FaultStore {
  readonly uri: string;
  readonly log: OperationRecord[] = [];
  readonly #store: ObjectStore;
  readonly #plan: FaultPlan;
  #crashed = false;
  #closed = false;

  constructor(store: ObjectStore, plan: FaultPlan) {
    this.uri = store.uri;
    this.#store = store;
    this.#plan = plan;
  }

  get operations(): number {
    return this.log.length;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#do({ op: 'get', path }, () => this.#store.get(path, options));
  }

  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    return this.#do({ op: 'getRange', path }, () => this.#store.getRange(path, offset, length, options));
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#do({ op: 'getTail', path }, () => this.#store.getTail(path, length, options));
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#do({ op: 'head', path }, () => this.#store.head(path, options));
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#do({ op: 'put', path }, (during) =>
      this.#store.put(path, during === undefined ? body : halfOf(body, during), options),
    );
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#do({ op: 'putIfAbsent', path }, () => this.#store.putIfAbsent(path, body, options));
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    const fate = this.#begin({ op: 'list', path: prefix });
    if (fate.delayMs > 0) await sleep(fate.delayMs);
    if (fate.before !== undefined) throw fate.before;
    for await (const info of this.#store.list(prefix, options)) {
      this.#checkAlive({ op: 'list', path: prefix });
      yield info;
    }
    if (fate.after !== undefined) throw fate.after;
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#do({ op: 'delete', path }, () => this.#store.delete(path, options));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #do<T>(record: OperationRecord, work: (during: SpiralError | undefined) => Promise<T>): Promise<T> {
    const fate = this.#begin(record);
    if (fate.delayMs > 0) {
      await sleep(fate.delayMs);
      this.#checkAlive(record);
    }
    if (fate.before !== undefined) throw fate.before;
    const answer = await work(fate.during);
    if (fate.after !== undefined) throw fate.after;
    // Operations under way when the process died have their effect, or not; their answer reaches nobody.
    this.#checkAlive(record);
    return answer;
  }

  #begin(record: OperationRecord): Fate {
    if (this.#closed)
      throw new SpiralError('closed', `The fault store over ${this.uri} was closed. Wrap the store again.`);
    this.#checkAlive(record);
    const number = this.log.push(record);
    if (number === this.#plan.crashAfter) {
      this.#crashed = true;
      return crashFate(crashError(record, number), this.#plan.crash ?? 'before', record.op);
    }
    return this.#drawnFate(record, number);
  }

  #drawnFate(record: OperationRecord, number: number): Fate {
    const { seed = 0, failShare = 0, loseAnswerShare = 0, delayMsMax = 0, only } = this.#plan;
    if (only !== undefined && !only(record))
      return { delayMs: 0, before: undefined, during: undefined, after: undefined };
    const random = randomStream('fault-store', seed, number);
    const draw = random.unit();
    const fault = new SpiralError(
      'unavailable',
      `Operation ${number} (${record.op} of ${record.path}) failed as the fault plan of seed ${seed} has it. Try again.`,
      { details: { ...record, number, seed } },
    );
    return {
      delayMs: delayMsMax * random.unit(),
      before: draw < failShare ? fault : undefined,
      during: undefined,
      after: draw >= failShare && draw < failShare + loseAnswerShare ? fault : undefined,
    };
  }

  #checkAlive(record: OperationRecord): void {
    if (this.#crashed) throw crashError(record, undefined);
  }
}

function crashFate(crash: SpiralError, when: 'before' | 'during' | 'after', op: StoreOperation): Fate {
  const fate: Fate = { delayMs: 0, before: undefined, during: undefined, after: undefined };
  if (when === 'after') return { ...fate, after: crash };
  return when === 'during' && op === 'put' ? { ...fate, during: crash } : { ...fate, before: crash };
}

function crashError(record: OperationRecord, number: number | undefined): SpiralError {
  const when =
    number === undefined ? 'after the process had crashed' : `as number ${number}, where the process crashes`;
  return new SpiralError('unavailable', `The fault plan ended ${record.op} of ${record.path} ${when}.`, {
    details: { ...record, crash: true },
  });
}

/** The first half of a body, then the crash. */
async function* halfOf(body: PutBody, crash: SpiralError): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    yield body.subarray(0, body.length >> 1);
  } else if (isPieces(body)) {
    yield* body.slice(0, body.length >> 1);
  } else {
    for await (const piece of body) {
      yield piece;
      break;
    }
  }
  throw crash;
}

function isPieces(body: PutBody): body is readonly Uint8Array[] {
  return Array.isArray(body);
}
