import { cancelled } from '../../core/abort.js';
import { SpiralError, shown } from '../../core/errors.js';
import { packedShardBytesMax } from '../../core/limits.js';
import { ProgressLine } from '../../core/progress-line.js';
import { monotonicMs } from '../../core/runtime.js';
import { GrowingBytes } from '../../format/growing-bytes.js';
import { RefusedValue } from '../../format/refused-value.js';
import type { CommonSettings, Sample, ShardLayout } from './shard-layout.js';
import { ShardQueue } from './shard-queue.js';
import { type WriterOptions, type WriterSettings, writerSettings } from './writer-settings.js';
import { openTarget } from './writer-target.js';

/** Where a writer begins. */
export interface WriterStart {
  /** Samples that are in the folder and stay: those of the caller that come first are not to be written again. */
  readonly samples: number;
  readonly shards: number;
}

/** What was written. */
export interface WrittenDataSet {
  /** Samples of the data set, those that were there before included. */
  readonly samples: number;
  readonly shards: number;
  /** Bytes of the shard files that this writer stored. */
  readonly bytes: number;
}

/** A shard that samples are being appended to. */
interface OpenShard {
  readonly bytes: GrowingBytes;
  readonly starts: number[];
  /** What counts towards the limit. */
  size: number;
}

/** Offsets have 32 bits. */
const fileBytesMax = 2 ** 32 - 1;
const firstCapacity = 64 * 1024;
/** Samples between two looks at the clock. */
const progressSamples = 1024;
const done: Promise<void> = Promise.resolve();

/** What all writers of data sets of MosaicML Streaming do; `MDSWriter` and the others say how samples are laid out. */
export abstract class SampleWriter implements AsyncDisposable {
  readonly #layout: ShardLayout;
  readonly #settings: WriterSettings;
  readonly #queue: ShardQueue;
  readonly #where: string;
  readonly #limit: number;
  readonly #progress: ProgressLine | undefined;
  #shard: OpenShard;
  /** Samples that this writer was given. */
  #samples = 0;
  #finished: Promise<WrittenDataSet> | undefined;
  #closed: Promise<void> | undefined;

  /** Touches nothing. @throws SpiralError `invalid_argument`, `invalid_size`, `invalid_schema`, `unsupported_type`. */
  protected constructor(
    where: string,
    options: WriterOptions,
    more: readonly string[],
    layoutOf: (common: CommonSettings) => ShardLayout,
  ) {
    this.#where = where;
    this.#settings = writerSettings(where, options, more);
    this.#layout = layoutOf(this.#settings.common);
    this.#limit = Math.min(this.#settings.shardBytesMax, fileBytesMax - this.#layout.headBytes);
    this.#queue = new ShardQueue(openTarget(options.out, this.#settings.keepLocal), this.#layout, this.#settings);
    this.#shard = this.#newShard(firstCapacity);
    const { stderr } = process;
    if (this.#settings.progress && stderr.isTTY) this.#progress = new ProgressLine(stderr);
    this.#progress?.begin('write', null, monotonicMs());
  }

  /** Samples that the data set has so far, those that were there before included once the writer has started. */
  get samples(): number {
    return this.#queue.keptSamples + this.#samples;
  }

  /**
   * Looks at the folder, makes it ready and tells what of it stays. The first `write` does so by itself; with `resume` ask
   * beforehand, to go on behind the samples that are kept.
   *
   * @throws SpiralError `already_exists`; with `resume` `state_mismatch` for other columns, `not_found`, `corrupt_file`.
   */
  async start(): Promise<WriterStart> {
    this.#checkOpen();
    const { kept } = await this.#queue.begin();
    return { samples: this.#queue.keptSamples, shards: kept.shards.length };
  }

  /**
   * Appends a sample: an object with a value for each column; other keys are ignored. It is copied before this returns. Resolves when there is room for more: await it, so that no more
   * than `maxWorkers` shards and one wait in memory.
   *
   * @throws SpiralError `type_mismatch`, `value_out_of_range`, `invalid_rows`, `limit_exceeded` for a sample that does not
   * fit its columns, naming number and column: it is left out, and the writer goes on. Everything else ends the writer:
   * `already_exists`, `storage_full`, `permission_denied`, `cancelled`, `closed`.
   */
  write(sample: object): Promise<void> {
    try {
      this.#checkOpen();
      this.#append(sample as Sample);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#samples % progressSamples === 0) this.#progress?.add(progressSamples, undefined, monotonicMs());
    return this.#queue.room() ?? done;
  }

  /**
   * Stores what is left and then the index, which makes the folder a data set. A second call gives the same.
   *
   * @throws SpiralError what storing failed with: there is then no new index, and whole shards stay for `resume`.
   */
  finish(): Promise<WrittenDataSet> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  /**
   * Ends the writer. Unless it was finished there is no new index; whole shards stay, with a checkpoint beside, for a
   * writer with `resume`. A second call does nothing.
   */
  close(): Promise<void> {
    this.#closed ??= this.#end(false);
    return this.#closed;
  }

  /** Ends the writer and deletes what it stored, unless it was finished. */
  discard(): Promise<void> {
    this.#closed ??= this.#end(true);
    return this.#closed;
  }

  /** As `close`: leaving a block by an error leaves no index. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(all: boolean): Promise<void> {
    // One that finishes has ended of itself, well or not.
    if (this.#finished !== undefined) await this.#finished.catch(() => undefined);
    else await this.#queue.abandon(all);
    this.#progress?.end(monotonicMs());
  }

  async #finish(): Promise<WrittenDataSet> {
    try {
      this.#checkOpen();
      await this.start();
      this.#flush();
      await this.#queue.finish();
    } catch (error) {
      if (this.#closed === undefined) await this.#queue.abandon(false);
      throw error;
    }
    this.#progress?.add(this.#samples % progressSamples, undefined, monotonicMs());
    this.#progress?.end(monotonicMs());
    return { samples: this.samples, shards: this.#queue.shards, bytes: this.#queue.storedBytes };
  }

  #append(sample: Sample): void {
    const { bytes, starts } = this.#shard;
    const from = bytes.length;
    try {
      if (typeof sample !== 'object' || sample === null) throw new RefusedValue('an object', shown(sample));
      this.#layout.append(sample, bytes);
    } catch (error) {
      bytes.length = from;
      if (!(error instanceof RefusedValue)) throw error;
      if (error.code !== 'limit_exceeded') throw this.#refusal(error);
      // It may fit alone.
      if (starts.length === 0) throw this.#tooLarge(error.found);
      this.#flush();
      this.#append(sample);
      return;
    }
    const size = bytes.length - from + this.#layout.sampleBytes;
    const shard = starts.length > 0 && this.#shard.size + size > this.#limit ? this.#moved(from) : this.#shard;
    const isAlone = shard.starts.length === 0;
    if (isAlone && shard.size + size > this.#sampleBytesMax) {
      shard.bytes.length = 0;
      throw this.#tooLarge(`${shard.size + size}`);
    }
    shard.starts.push(isAlone ? 0 : from);
    shard.size += size;
    this.#samples++;
  }

  /** A new shard with the bytes from `from` on, which are taken from the one before, and that is on its way. */
  #moved(from: number): OpenShard {
    const { bytes } = this.#shard;
    const next = this.#newShard(bytes.bytes.length);
    next.bytes.add(bytes.bytes.subarray(from, bytes.length));
    bytes.length = from;
    this.#flush();
    this.#shard = next;
    return next;
  }

  #flush(): void {
    const { bytes, starts } = this.#shard;
    if (starts.length === 0) return;
    this.#shard = this.#newShard(firstCapacity);
    this.#queue.add(bytes.bytes.subarray(0, bytes.length), starts);
  }

  #newShard(capacity: number): OpenShard {
    return { bytes: new GrowingBytes(capacity), starts: [], size: this.#layout.startBytes };
  }

  /** Bytes that a shard of one sample may have, whatever the limit. */
  get #sampleBytesMax(): number {
    return Math.max(this.#limit, this.#settings.compression === undefined ? fileBytesMax : packedShardBytesMax);
  }

  #refusal({ expected, found, code }: RefusedValue): SpiralError {
    const { column } = this.#layout;
    const sample = this.samples;
    return new SpiralError(
      code,
      `Expected ${expected} in column '${column}' of sample ${sample}, got ${found}. The sample was left out; mend it, or give ` +
        'the column another encoding.',
      { details: { sample, column, expected, found } },
    );
  }

  #tooLarge(found: string): SpiralError {
    const max = this.#sampleBytesMax;
    return new SpiralError(
      'limit_exceeded',
      `Expected sample ${this.samples} to fit a shard of ${max} bytes, found ${found}. The sample was left out; write it in parts.`,
      { details: { sample: this.samples, max } },
    );
  }

  /** @throws SpiralError `closed`, `cancelled`, and what storing failed with. */
  #checkOpen(): void {
    const { failure } = this.#queue;
    if (failure !== undefined) throw failure.error;
    const { signal } = this.#settings;
    if (signal?.aborted) throw cancelled(signal, `Writing with ${this.#where}`);
    if (this.#closed === undefined && this.#finished === undefined) return;
    throw new SpiralError('closed', `The ${this.#where} was closed. Make another one to write more.`);
  }
}
