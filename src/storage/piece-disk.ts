import { type BigIntStats, close, constants, fstat, open, read, type StatsFs, statfs, write } from 'node:fs';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  pieceAdmission,
  pieceDiskFreeMin,
  pieceDiskFreeShare,
  pieceDiskFullMs,
  pieceDiskLookBytes,
  pieceStaleMs,
  pieceWays,
  pieceWriteBytesMax,
} from '../core/limits.js';
import { type RandomStream, randomStream, uniqueId } from '../core/random.js';
import { monotonicMs, wallMicros } from '../core/runtime.js';
import { frameBytes, framed, unframed } from './piece-frame.js';
import type { PieceKey } from './piece-key.js';

/** Where pieces are kept on disk. */
export interface PieceDiskOptions {
  /** Made where it is missing, for this user alone. */
  readonly folder: string;
  /** Tells files of several caches in one folder apart. */
  readonly name: string;
  /** Bytes of a piece, at most. */
  readonly pieceBytes: number;
  /** Bytes that the file may have. */
  readonly capacityBytes: number;
}

/** What a cache on disk does. */
export interface PieceDiskStats {
  /** Pieces and bytes written since it was opened by this thread. */
  readonly writes: number;
  readonly bytesWritten: number;
  /** Pieces that were not written: the disk is full or too slow, or what is kept is in use. */
  readonly passedOver: number;
  /** Pieces that were not what they should be (written over meanwhile, cut short by a kill, damaged): read from the store instead. */
  readonly refused: number;
  /** Why nothing is kept on disk; undefined while that is well. */
  readonly trouble: string | undefined;
}

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const statDescriptor = promisify(fstat) as (fd: number, options: { bigint: true }) => Promise<BigIntStats>;
const statDisk = promisify(statfs) as (path: string) => Promise<StatsFs>;

const recordBytes = 8;
const blockBytes = 4096;

/**
 * Pieces of objects in one file of fixed size, which any number of threads and processes share without a word between
 * them. A piece may stand in one of eight places, which its name tells; a table at the head of the file guesses which
 * (tag and time of last use of each). What is in a place says itself what it is: see `piece-frame.ts`. So a process may die at
 * any point, or write where another reads: what is not whole is not found, and read from the store.
 *
 * Of eight places the one used longest ago is written over. Where that was used lately, the new piece stays the first to
 * go in fifteen of sixteen cases: reading more than fits, again and again, keeps a part of it instead of nothing.
 */
export class PieceDisk {
  readonly #options: PieceDiskOptions;
  readonly #random: RandomStream = randomStream('piece-disk', uniqueId(''));
  readonly #strideBytes: number;
  readonly #sets: number;
  readonly #fd: Promise<number | undefined>;
  /** Pieces on their way to the disk. */
  readonly #pending = new Map<string, Uint8Array>();
  #pendingBytes = 0;
  #lastWrite: Promise<void> = Promise.resolve();
  #users = 0;
  #whenIdle: (() => void) | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  #grownBytes: number = pieceDiskLookBytes;
  #stats = { writes: 0, bytesWritten: 0, passedOver: 0, refused: 0, trouble: undefined as string | undefined };

  /** Opens or makes the file, and removes those of other sizes. A folder that cannot be used is `trouble`, no error. */
  constructor(options: PieceDiskOptions) {
    this.#options = options;
    this.#strideBytes = blockBytes * Math.ceil((options.pieceBytes + frameBytes) / blockBytes);
    this.#sets = Math.floor((options.capacityBytes - blockBytes) / (pieceWays * (this.#strideBytes + recordBytes)));
    this.#fd = this.#sets < 1 ? this.#without('its limit is below eight pieces') : this.#open();
  }

  get stats(): PieceDiskStats {
    return { ...this.#stats };
  }

  /** The piece, or undefined where it is not there. It belongs to the caller. Never rejects. */
  async read(key: PieceKey): Promise<Uint8Array | undefined> {
    const pending = this.#pending.get(key.text);
    if (pending !== undefined) return new Uint8Array(pending);
    return this.#use(async (fd) => {
      const set = key.mixed(0) % this.#sets;
      const records = await this.#records(fd, set);
      const tag = tagOf(key);
      for (let way = 0; way < pieceWays; way++) {
        if (records.readUInt32LE(recordBytes * way) !== tag) continue;
        const bytes = await this.#piece(fd, key, set, way);
        if (bytes === undefined) {
          this.#stats.refused++;
          continue;
        }
        const now = nowSeconds();
        if (records.readUInt32LE(recordBytes * way + 4) !== now) await this.#note(fd, set, way, tag, now);
        return bytes;
      }
      return undefined;
    });
  }

  /** Keeps `bytes`, which must not change any more, by and by; or does not. */
  write(key: PieceKey, bytes: Uint8Array): void {
    const text = key.text;
    if (this.#closing !== undefined || this.#pending.has(text)) return;
    if (this.#pendingBytes + bytes.length > pieceWriteBytesMax || monotonicMs() < this.#fullUntilMs) {
      this.#stats.passedOver++;
      return;
    }
    this.#pending.set(text, bytes);
    this.#pendingBytes += bytes.length;
    this.#lastWrite = this.#lastWrite
      .then(() => this.#use((fd) => this.#write(fd, key, bytes)))
      .then(() => {
        this.#pending.delete(text);
        this.#pendingBytes -= bytes.length;
      });
  }

  /** Resolves once all that was to be written is. */
  async settled(): Promise<void> {
    await this.#lastWrite;
  }

  /** Ends all use: what follows finds nothing and keeps nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.settled();
    this.#closed = true;
    const fd = await this.#fd;
    if (this.#users > 0) {
      await new Promise<void>((idle) => {
        this.#whenIdle = idle;
      });
    }
    if (fd !== undefined) await closeDescriptor(fd);
  }

  /** What `work` gives; undefined where there is no file, or it fails. */
  async #use<T>(work: (fd: number) => Promise<T>): Promise<T | undefined> {
    this.#users++;
    try {
      const fd = await this.#fd;
      return fd === undefined || this.#closed ? undefined : await work(fd);
    } catch (error) {
      this.#failed(error);
      return undefined;
    } finally {
      this.#users--;
      if (this.#users === 0) this.#whenIdle?.();
    }
  }

  async #open(): Promise<number | undefined> {
    const { folder, name, pieceBytes } = this.#options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = `${name}-1-${pieceBytes}-${this.#sets}.pieces`;
      const others = new RegExp(`^${name}-\\d+-\\d+-\\d+\\.pieces$`);
      for (const found of await readdir(folder)) {
        if (found !== file && others.test(found)) await unlink(join(folder, found)).catch(() => {});
      }
      const fd = await openDescriptor(join(folder, file), constants.O_RDWR | constants.O_CREAT, 0o600);
      const { uid } = await statDescriptor(fd, { bigint: true });
      if (process.getuid === undefined || Number(uid) === process.getuid()) return fd;
      await closeDescriptor(fd);
      return await this.#without(`${join(folder, file)} belongs to another user, who could write anything into it`);
    } catch (error) {
      return this.#without(reasonOf(error));
    }
  }

  async #without(trouble: string): Promise<undefined> {
    this.#stats.trouble = trouble;
    return undefined;
  }

  #failed(error: unknown): void {
    this.#stats.trouble = reasonOf(error);
    this.#fullUntilMs = monotonicMs() + pieceDiskFullMs;
  }

  async #write(fd: number, key: PieceKey, bytes: Uint8Array): Promise<void> {
    const set = key.mixed(0) % this.#sets;
    const tag = tagOf(key);
    const place = await this.#place(fd, set, tag);
    if (place === undefined) {
      this.#stats.passedOver++;
      return;
    }
    const frame = framed(key, bytes, [this.#random.uint32(), this.#random.uint32()]);
    await writeAll(fd, frame, this.#offset(set, place.way));
    await this.#note(fd, set, place.way, tag, place.lastUse);
    this.#stats.writes++;
    this.#stats.bytesWritten += bytes.length;
    this.#stats.trouble = undefined;
  }

  /** Where a new piece goes in `set`, and what to note as its last use; undefined where the disk has no room for it. */
  async #place(fd: number, set: number, tag: number): Promise<{ way: number; lastUse: number } | undefined> {
    const records = await this.#records(fd, set);
    const now = nowSeconds();
    let [oldest, lastUse] = [0, Number.POSITIVE_INFINITY];
    for (let way = 0; way < pieceWays; way++) {
      const found = records.readUInt32LE(recordBytes * way);
      if (found === tag) return { way, lastUse: now };
      const used = found === 0 ? -1 : records.readUInt32LE(recordBytes * way + 4);
      if (used < lastUse) [oldest, lastUse] = [way, used];
    }
    if (lastUse === -1) return (await this.#mayGrow()) ? { way: oldest, lastUse: now } : undefined;
    const stale = now - lastUse > pieceStaleMs / 1000;
    return { way: oldest, lastUse: stale || this.#random.below(pieceAdmission) === 0 ? now : lastUse };
  }

  /** Whether the disk has room for another piece. */
  async #mayGrow(): Promise<boolean> {
    this.#grownBytes += this.#strideBytes;
    if (this.#grownBytes < pieceDiskLookBytes) return true;
    const { bavail, blocks, bsize } = await statDisk(this.#options.folder);
    if (bavail < Math.min(pieceDiskFreeMin / bsize, blocks * pieceDiskFreeShare)) {
      this.#failed(new Error(`the disk of ${this.#options.folder} is nearly full`));
      return false;
    }
    this.#grownBytes = 0;
    return true;
  }

  async #records(fd: number, set: number): Promise<Buffer> {
    // What the file does not have yet reads as zeros.
    const records = Buffer.alloc(recordBytes * pieceWays);
    await readAll(fd, records, this.#recordOffset(set, 0));
    return records;
  }

  async #note(fd: number, set: number, way: number, tag: number, lastUse: number): Promise<void> {
    const record = Buffer.alloc(recordBytes);
    record.writeUInt32LE(tag, 0);
    record.writeUInt32LE(lastUse, 4);
    await writeAll(fd, record, this.#recordOffset(set, way));
  }

  async #piece(fd: number, key: PieceKey, set: number, way: number): Promise<Uint8Array | undefined> {
    const frame = Buffer.allocUnsafeSlow(key.lengthMax + frameBytes);
    const count = await readAll(fd, frame, this.#offset(set, way));
    return unframed(key, frame.subarray(0, count));
  }

  #recordOffset(set: number, way: number): number {
    return recordBytes * (set * pieceWays + way);
  }

  #offset(set: number, way: number): number {
    const table = blockBytes * Math.ceil((recordBytes * pieceWays * this.#sets) / blockBytes);
    return table + (set * pieceWays + way) * this.#strideBytes;
  }
}

/** 0 stands for an empty place. */
function tagOf(key: PieceKey): number {
  return key.mixed(1) || 1;
}

function nowSeconds(): number {
  return Math.floor(wallMicros() / 1e6) >>> 0;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Fills `into` from `position` on, as far as the file goes. */
async function readAll(fd: number, into: Buffer, position: number): Promise<number> {
  for (let done = 0; done < into.length; ) {
    const count = await new Promise<number>((resolve, reject) => {
      read(fd, into, done, into.length - done, position + done, (error, bytes) =>
        error === null ? resolve(bytes) : reject(error),
      );
    });
    if (count === 0) return done;
    done += count;
  }
  return into.length;
}

async function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) =>
        error === null ? resolve(count) : reject(error),
      );
    });
  }
}
