import { writerBytesMax } from '../../core/limits.js';
import { cores } from '../../core/runtime.js';
import { Semaphore } from '../../core/semaphore.js';
import { type Beginning, beginWriting, checkpointName, indexName, nextNumber } from './begin-writing.js';
import type { PackedFile } from './pack-shard.js';
import type { ShardLayout } from './shard-layout.js';
import { ShardPacker } from './shard-packer.js';
import type { WriterSettings } from './writer-settings.js';
import type { WriterTarget } from './writer-target.js';
import { indexText, type ShardEntry } from './written-shards.js';

/** Shards of this many are noted in the checkpoint together, once there are many: it is written whole each time. */
const checkpointShare = 64;

/**
 * Packs and stores shards, several at once, and keeps a checkpoint of those that are whole. After a failure nothing more is
 * stored; the first one is what all that follows rejects with.
 */
export class ShardQueue {
  readonly #target: WriterTarget;
  readonly #layout: ShardLayout;
  readonly #settings: WriterSettings;
  readonly #packer: ShardPacker;
  readonly #slots: Semaphore;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #beginning: Promise<Beginning> | undefined;
  #begun: Beginning | undefined;
  #keptSamples = 0;
  /** New shards; undefined for those under way. */
  readonly #entries: { readonly entry: ShardEntry; readonly paths: readonly string[]; readonly bytes: number }[] = [];
  #added = 0;
  /** Of the first new shards, how many are whole. */
  #whole = 0;
  #noted = 0;
  #checkpoint: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  readonly #work = new Set<Promise<void>>();
  #bytes = 0;
  #wake: (() => void)[] = [];

  constructor(target: WriterTarget, layout: ShardLayout, settings: WriterSettings) {
    this.#target = target;
    this.#layout = layout;
    this.#settings = settings;
    const { compression, common, workers } = settings;
    this.#packer = new ShardPacker({ compression, hashes: common.hashes }, Math.min(workers, cores()));
    this.#slots = new Semaphore(workers);
    const { signal } = settings;
    this.#signal = signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal]);
  }

  /** What the folder already has that stays. Done once. @throws SpiralError as `beginWriting`. */
  begin(): Promise<Beginning> {
    this.#beginning ??= beginWriting(this.#target, this.#layout.settings, this.#settings.mode, this.#signal).then(
      (beginning) => {
        this.#begun = beginning;
        this.#keptSamples = beginning.kept.shards.reduce((sum, { samples }) => sum + samples, 0);
        this.#noted = beginning.kept.entries.length;
        return beginning;
      },
      (error: unknown) => {
        this.#fail(error);
        throw error;
      },
    );
    return this.#beginning;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Samples that were there before. */
  get keptSamples(): number {
    return this.#keptSamples;
  }

  /** Shards that are whole, those that were there before included. */
  get shards(): number {
    return (this.#begun?.kept.entries.length ?? 0) + this.#whole;
  }

  /** Bytes of the files of new shards. */
  get storedBytes(): number {
    return this.#entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes a shard of `samples`, each from one of `starts`; their memory is no longer the caller's. */
  add(samples: Uint8Array, starts: readonly number[]): void {
    const at = this.#added++;
    this.#bytes += samples.length;
    const work = this.#slots
      .run(() => this.#store(at, samples, starts))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#bytes -= samples.length;
        this.#work.delete(work);
        for (const wake of this.#wake.splice(0)) wake();
      });
    this.#work.add(work);
  }

  /** Resolves once there is room for another shard; undefined where there is. @throws what storing failed with. */
  room(): Promise<void> | undefined {
    const isFull = this.#work.size >= this.#settings.workers || this.#bytes >= writerBytesMax;
    return this.#begun !== undefined && !isFull && this.#failure === undefined ? undefined : this.#wait();
  }

  async #wait(): Promise<void> {
    if (this.#failure === undefined) await this.begin();
    while (this.#work.size >= this.#settings.workers || (this.#bytes >= writerBytesMax && this.#work.size > 0)) {
      if (this.#failure !== undefined) break;
      await new Promise<void>((wake) => this.#wake.push(wake));
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Writes the index, once all shards are stored. @throws what any of it failed with: there is then no new index. */
  async finish(): Promise<void> {
    const { kept } = await this.begin();
    await Promise.all(this.#work);
    await this.#checkpoint;
    if (this.#failure !== undefined) throw this.#failure.error;
    const entries = [...kept.entries, ...this.#entries.map(({ entry }) => entry)];
    await this.#target.put(indexName, [Buffer.from(indexText(entries))], this.#signal);
    // One that stays says no more than the index.
    await this.#target.delete(checkpointName).catch(() => undefined);
    await this.#close();
  }

  /**
   * Ends without an index. What is whole stays, with a checkpoint that can be gone on from; with `all` it is deleted. Other
   * files of the writer go. Fails in silence: there is an error already, or nobody that waits for one.
   */
  async abandon(all: boolean): Promise<void> {
    this.#ending.abort();
    await this.#beginning?.catch(() => undefined);
    // What is being compressed may take minutes, for nothing.
    await this.#packer.close();
    await Promise.all(this.#work);
    await this.#checkpoint;
    if (this.#begun !== undefined) await this.#leave(this.#begun, all).catch(() => undefined);
    await this.#close();
  }

  async #leave({ kept, isIndexed }: Beginning, all: boolean): Promise<void> {
    const left = all ? 0 : this.#whole;
    const shards = kept.entries.length + left;
    if (shards === 0 || (isIndexed && left === 0)) await this.#target.delete(checkpointName);
    else await this.#target.put(checkpointName, [this.#checkpointText(left)]);
    // Shards may be whole behind one that is not.
    for (const [at, stored] of this.#entries.entries()) {
      if (at >= left && stored !== undefined) for (const path of stored.paths) await this.#target.delete(path);
    }
  }

  async #close(): Promise<void> {
    await Promise.all([this.#packer.close(), this.#target.close()]);
  }

  async #store(at: number, samples: Uint8Array, starts: readonly number[]): Promise<void> {
    const { kept } = await this.begin();
    if (this.#failure !== undefined || this.#ending.signal.aborted) return;
    const name = `shard.${String(nextNumber(kept) + at).padStart(5, '0')}`;
    const count = starts.length;
    const files = await Promise.all(this.#layout.files(samples, starts).map((file) => this.#packer.pack(file)));
    const paths = files.map((file) => this.#pathOf(name, file));
    const puts = files.map(({ pieces }, index) => this.#target.put(paths[index]!, pieces, this.#signal));
    const failed = (await Promise.allSettled(puts)).find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const bytes = files.reduce((sum, { raw, zip }) => sum + (zip ?? raw).bytes, 0);
    this.#entries[at] = { entry: this.#entryOf(name, files, count), paths, bytes };
    while (this.#entries[this.#whole] !== undefined) this.#whole++;
    this.#note();
  }

  #pathOf(name: string, { ending, zip }: PackedFile): string {
    return `${name}${ending}${zip === undefined ? '' : `.${this.#settings.compression!.family}`}`;
  }

  #entryOf(name: string, files: readonly PackedFile[], samples: number): ShardEntry {
    const entry: Record<string, unknown> = { ...this.#layout.settings, samples };
    for (const file of files) {
      const { role, ending, raw, zip } = file;
      entry[`raw_${role}`] = { basename: `${name}${ending}`, ...raw };
      entry[`zip_${role}`] = zip === undefined ? null : { basename: this.#pathOf(name, file), ...zip };
    }
    return entry;
  }

  /** Writes the checkpoint where enough was added to it. */
  #note(): void {
    const due = this.shards - this.#noted >= Math.max(1, this.#noted / checkpointShare);
    if (!due || this.#failure !== undefined) return;
    this.#noted = this.shards;
    const text = this.#checkpointText(this.#whole);
    this.#checkpoint = this.#checkpoint
      .then(() => this.#target.put(checkpointName, [text], this.#signal))
      .catch((error: unknown) => this.#fail(error));
  }

  #checkpointText(whole: number): Buffer {
    const entries = this.#entries.slice(0, whole).map(({ entry }) => entry);
    return Buffer.from(indexText([...this.#begun!.kept.entries, ...entries]));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#ending.abort();
    for (const wake of this.#wake.splice(0)) wake();
  }
}
