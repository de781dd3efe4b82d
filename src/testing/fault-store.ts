import { isSpiralError, SpiralError } from '../core/errors.js';
import { type RandomStream, randomStream } from '../core/random.js';
import { sleep } from '../core/runtime.js';
import { isPieces } from '../storage/put-body.js';
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
  /**
   * Share of operations that break off half way with `unavailable`: reads after part of the bytes, which for `getRange` lie
   * in `into` then, lists after some of the objects, puts after part of the body, of which nothing becomes visible. Others
   * fail.
   */
  readonly truncateShare?: number;
  /** Each operation waits up to so many milliseconds before it begins, so that concurrent ones change places. */
  readonly delayMsMax?: number;
  /** Share of operations that wait `spikeMs` besides. */
  readonly spikeShare?: number;
  /** Default 1000. */
  readonly spikeMs?: number;
  /** The operations that shares and delays apply to: default all. A crash applies to any. */
  readonly only?: (record: OperationRecord) => boolean;
  /** Operation number `crashAfter` (the first is 1) throws, and every later one: the process is dead. */
  readonly crashAfter?: number;
  /**
   * What became of the operation that crashed: 'before' (default) no effect; 'after' it took effect; 'during' a put's
   * body was half written, so nothing may be visible, and for other operations the same as 'before'.
   */
  readonly crash?: 'before' | 'during' | 'after';
  /** Whether `log` keeps the operations, which in a run of hours takes memory. Default true. */
  readonly keepLog?: boolean;
}

/** A store that fails by plan, and tells what was asked of it. */
export interface FaultStore extends ObjectStore {
  /** Operations begun so far: a crash test runs once without a plan, then once for each number up to this. */
  readonly operations: number;
  /** The operations begun, in order; none where the plan keeps none. */
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
  /** A put ends so in the midst of its body. */
  readonly during: SpiralError | undefined;
  readonly after: SpiralError | undefined;
  /** Share of what is read after which a read or list ends with `cutBy`. */
  readonly cutAt?: number;
  readonly cutBy?: SpiralError;
}

const unharmed: Fate = { delayMs: 0, before: undefined, during: undefined, after: undefined };

class PlannedFaults implements FaultStore {
  readonly uri: string;
  readonly log: OperationRecord[] = [];
  readonly #store: ObjectStore;
  readonly #plan: FaultPlan;
  #operations = 0;
  #crashed = false;
  #closed = false;

  constructor(store: ObjectStore, plan: FaultPlan) {
    this.uri = store.uri;
    this.#store = store;
    this.#plan = plan;
  }

  get operations(): number {
    return this.#operations;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#do({ op: 'get', path }, async (fate) => cut(await this.#store.get(path, options), fate));
  }

  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    return this.#do({ op: 'getRange', path }, async (fate) => {
      const part = fate.cutAt === undefined ? length : Math.floor(fate.cutAt * length);
      return cut(await this.#store.getRange(path, offset, part, options), fate);
    });
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#do({ op: 'getTail', path }, async (fate) =>
      cut(await this.#store.getTail(path, length, options), fate),
    );
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#do({ op: 'head', path }, () => this.#store.head(path, options));
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#do({ op: 'put', path }, ({ during }) =>
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
    let left = fate.cutAt === undefined ? Number.POSITIVE_INFINITY : Math.floor(10 * fate.cutAt);
    for await (const info of this.#store.list(prefix, options)) {
      this.#checkAlive({ op: 'list', path: prefix });
      if (left-- === 0) throw fate.cutBy;
      yield info;
    }
    if (fate.cutBy !== undefined) throw fate.cutBy;
    if (fate.after !== undefined) throw fate.after;
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#do({ op: 'delete', path }, () => this.#store.delete(path, options));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #do<T>(record: OperationRecord, work: (fate: Fate) => Promise<T>): Promise<T> {
    const fate = this.#begin(record);
    if (fate.delayMs > 0) {
      await sleep(fate.delayMs);
      this.#checkAlive(record);
    }
    if (fate.before !== undefined) throw fate.before;
    const answer = await work(fate);
    if (fate.after !== undefined) throw fate.after;
    // Operations under way when the process died have their effect, or not; their answer reaches nobody.
    this.#checkAlive(record);
    return answer;
  }

  #begin(record: OperationRecord): Fate {
    if (this.#closed)
      throw new SpiralError('closed', `The fault store over ${this.uri} was closed. Wrap the store again.`);
    this.#checkAlive(record);
    const number = ++this.#operations;
    if (this.#plan.keepLog !== false) this.log.push(record);
    if (number === this.#plan.crashAfter) {
      this.#crashed = true;
      return crashFate(crashError(record, number), this.#plan.crash ?? 'before', record.op);
    }
    return this.#drawnFate(record, number);
  }

  #drawnFate(record: OperationRecord, number: number): Fate {
    const { seed = 0, failShare = 0, loseAnswerShare = 0, truncateShare = 0, delayMsMax = 0, only } = this.#plan;
    if (only !== undefined && !only(record)) return unharmed;
    const random = randomStream('fault-store', seed, number);
    const draw = random.unit();
    const delayMs = delayMsMax * random.unit() + this.#spikeMs(random);
    const fault = (): SpiralError =>
      new SpiralError(
        'unavailable',
        `Operation ${number} (${record.op} of ${record.path}) failed as the fault plan of seed ${seed} has it. Try again.`,
        { details: { ...record, number, seed } },
      );
    if (draw < failShare) return { ...unharmed, delayMs, before: fault() };
    if (draw < failShare + loseAnswerShare) return { ...unharmed, delayMs, after: fault() };
    if (draw >= failShare + loseAnswerShare + truncateShare) return { ...unharmed, delayMs };
    if (record.op === 'put') return { ...unharmed, delayMs, during: fault() };
    if (!/^(get|list)/.test(record.op)) return { ...unharmed, delayMs, before: fault() };
    return { ...unharmed, delayMs, cutAt: random.unit(), cutBy: fault() };
  }

  #spikeMs(random: RandomStream): number {
    const { spikeShare = 0, spikeMs = 1000 } = this.#plan;
    return spikeShare > 0 && random.unit() < spikeShare ? spikeMs : 0;
  }

  #checkAlive(record: OperationRecord): void {
    if (this.#crashed) throw crashError(record, undefined);
  }
}

function crashFate(crash: SpiralError, when: 'before' | 'during' | 'after', op: StoreOperation): Fate {
  if (when === 'after') return { ...unharmed, after: crash };
  return when === 'during' && op === 'put' ? { ...unharmed, during: crash } : { ...unharmed, before: crash };
}

function crashError(record: OperationRecord, number: number | undefined): SpiralError {
  const when =
    number === undefined ? 'after the process had crashed' : `as number ${number}, where the process crashes`;
  return new SpiralError('unavailable', `The fault plan ended ${record.op} of ${record.path} ${when}.`, {
    details: { ...record, crash: true },
  });
}

/** What was read, unless it breaks off. */
function cut<T>(found: T, { cutBy }: Fate): T {
  if (cutBy !== undefined) throw cutBy;
  return found;
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
