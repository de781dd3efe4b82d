import type { RecordBatch } from 'apache-arrow';
import { movedBatch } from '../arrow/moved-batch.js';
import { abortable, checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { readConcurrency } from '../core/limits.js';
import { macrotask } from '../core/runtime.js';
import type { Verify } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import type { OpenScan, ReadRows } from './open-scan.js';

/** What ends the reading, and when checksums are checked. */
interface BatchOptions {
  readonly signal: AbortSignal;
  readonly verify?: Verify | undefined;
}

/** Batches under way, in the order in which they are wanted; the next is asked for once there is room. */
export type BatchReads = Iterator<BatchRead> | AsyncIterator<BatchRead>;

/** A batch under way. */
interface BatchRead {
  /** Settles once all of it is read. */
  readonly read: Promise<unknown>;
  /** Does what is left to do, before somebody asks for it. */
  begin(): void;
  /** The batch; once. */
  take(): Promise<RecordBatch>;
  /** It is not wanted. */
  leave(): void;
}

/** What `reads` give, in order or as it is ready, but for empty batches; `readahead` are under way behind the one given. */
export async function* readBatches(
  reads: BatchReads,
  order: 'kept' | 'completion',
  signal: AbortSignal,
  readahead: number = readConcurrency,
): AsyncGenerator<RecordBatch, void, undefined> {
  await using ahead = new ReadsAhead(reads, order, readahead);
  for (;;) {
    checkSignal(signal, 'The scan');
    const next = await abortable(ahead.next(), signal, 'The scan');
    if (next === undefined) return;
    await next.read;
    let batch: RecordBatch | undefined = await next.take();
    ahead.begin();
    if (batch.numRows > 0) yield batch;
    // What a generator remembers lives on; a large buffer that lives a little longer costs V8 a whole collection.
    batch = undefined;
  }
}

/** What waits for a turn of the event loop, which may be long in coming: it holds nothing that is done with meanwhile. */
interface Turn {
  work: (() => void) | undefined;
}

async function afterTurn(turn: Turn): Promise<void> {
  await macrotask();
  turn.work?.();
}

/** Starts reads ahead of who takes their batches, however long it takes to know what is to be read next. */
class ReadsAhead implements AsyncDisposable {
  readonly #reads: BatchReads;
  readonly #readahead: number;
  readonly #inOrder: boolean;
  /** Batches to give: in order those under way too, else those that have settled. */
  readonly #ready: BatchRead[] = [];
  /** Reads that have not settled and are not in `#ready`. */
  #unsettled = 0;
  #asking = false;
  #ended = false;
  /** Whether nobody wants what is still under way. */
  #left = false;
  #turn: Turn | undefined;
  #wake = (): void => {};

  constructor(reads: BatchReads, order: 'kept' | 'completion', readahead: number) {
    this.#reads = reads;
    this.#readahead = readahead;
    this.#inOrder = order === 'kept';
  }

  /** The next batch, which may still be read; undefined behind the last. */
  async next(): Promise<BatchRead | undefined> {
    void this.#ask();
    while (this.#ready.length === 0) {
      if (this.#ended && this.#unsettled === 0) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#ready.shift()!;
  }

  /** Has the next batch made while its asker is busy with the one before, once the event loop has turned. */
  begin(): void {
    if (this.#turn !== undefined) return;
    this.#turn = { work: () => this.#beginNext() };
    void afterTurn(this.#turn);
  }

  #beginNext(): void {
    this.#turn = undefined;
    this.#ready[0]?.begin();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left = true;
    if (this.#turn !== undefined) this.#turn.work = undefined;
    for (const read of this.#ready.splice(0)) read.leave();
    if (this.#ended) return;
    this.#ended = true;
    const left = Promise.resolve(this.#reads.return?.()).catch(() => undefined);
    // Who is asked for what is next and does not answer cannot be made to leave.
    if (!this.#asking) await left;
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    while (!this.#ended && this.#ready.length + this.#unsettled <= this.#readahead) {
      try {
        const next = await this.#reads.next();
        if (next.done) this.#ended = true;
        else this.#add(next.value);
      } catch (error) {
        this.#ended = true;
        this.#add(givenBatch(Promise.reject(error)));
      }
      this.#wake();
    }
    this.#asking = false;
  }

  #add(read: BatchRead): void {
    // An error is met again, and thrown, when its turn comes.
    const settled = read.read.then(
      () => {},
      () => {},
    );
    if (this.#inOrder) {
      this.#ready.push(read);
      return;
    }
    this.#unsettled++;
    void settled.then(() => {
      this.#unsettled--;
      if (this.#left) read.leave();
      else this.#ready.push(read);
      this.#wake();
    });
  }
}

/** A batch that is ready once it is read; `owned` are buffers that were read for it alone. */
function givenBatch(batch: Promise<RecordBatch>, owned: readonly ArrayBuffer[] = []): BatchRead {
  return { read: batch, begin: () => {}, take: async () => movedBatch(await batch, owned), leave: () => {} };
}

/**
 * A batch that is still to be put together once it is read: not before somebody asks for it, or is about to. A promise that
 * has grown old keeps what it resolves to until V8 collects its whole heap, and those of a batch that waits for its turn
 * grow old; so do large buffers that wait for theirs.
 */
class PlacedBatch implements BatchRead {
  readonly read: Promise<ReadRows>;
  #batch: Promise<RecordBatch> | undefined;
  #isRead = false;

  constructor(read: Promise<ReadRows>) {
    this.read = read;
    read.then(
      () => {
        this.#isRead = true;
      },
      () => {},
    );
  }

  begin(): void {
    if (!this.#isRead) return;
    this.#batch ??= this.#make();
    this.#batch.catch(() => {});
  }

  take(): Promise<RecordBatch> {
    const batch = this.#batch ?? this.#make();
    this.#batch = undefined;
    return batch;
  }

  leave(): void {
    if (this.#batch !== undefined) return;
    this.read.then((rows) => rows.release()).catch(() => {});
  }

  async #make(): Promise<RecordBatch> {
    return (await (await this.read).give()).batch;
  }
}

/** The record batches of `shards`, as they are stored but for what a filter leaves out of them and narrow ones, which are joined. */
export function* shardReads(
  scan: OpenScan,
  shards: readonly Shard[],
  options: BatchOptions,
): Generator<BatchRead, void, undefined> {
  for (const shard of shards) {
    const rows = shard.physicalRows;
    for (let from = 0; from < rows; ) {
      const to = scan.joinedEnd?.(shard, from) ?? scan.batchEnd(shard, from);
      const placed = scan.placeRows?.(shard, from, to, options);
      const owned: ArrayBuffer[] = [];
      if (placed !== undefined) yield new PlacedBatch(placed);
      else
        yield givenBatch(
          scan.readRows(shard, from, to, { ...options, owned }).then(({ batch }) => batch),
          owned,
        );
      from = to;
    }
  }
}

/** The rows with the keys of each of `tables`. */
export async function* keyReads(
  scan: OpenScan,
  tables: AsyncIterable<RecordBatch>,
  options: BatchOptions,
): AsyncGenerator<BatchRead, void, undefined> {
  for await (const table of tables) yield givenBatch(scan.take(table, options));
}

/**
 * `shards` in the order of their keys, whatever order they were dealt in.
 *
 * @throws SpiralError `invalid_shards` where two of them share rows.
 */
export function inKeyOrder(shards: readonly Shard[]): Shard[] {
  const filled = shards.filter((shard) => shard.physicalRows > 0);
  const sorted = filled.sort((a, b) => {
    const [left, right] = [a.segments[0]!, b.segments[0]!];
    return left.part - right.part || left.from - right.from;
  });
  const segments = sorted.flatMap((shard) => shard.segments.map((segment) => ({ shard, ...segment })));
  for (let at = 1; at < segments.length; at++) {
    const [before, after] = [segments[at - 1]!, segments[at]!];
    if (before.part < after.part || (before.part === after.part && before.to <= after.from)) continue;
    const [first, second] = [before, after].map(({ shard }) => shards.indexOf(shard));
    throw new SpiralError(
      'invalid_shards',
      `Expected shards with rows of their own, but shards ${first} and ${second} share rows ${after.from} to ` +
        `${Math.min(before.to, after.to)} of part ${after.part}. Pass each shard once.`,
      { details: { shards: [first, second], part: after.part } },
    );
  }
  return sorted;
}
