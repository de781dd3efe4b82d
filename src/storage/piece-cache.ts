import { abortable } from '../core/abort.js';
import { pieceRunBytesMax } from '../core/limits.js';
import { PieceDisk, type PieceDiskOptions, type PieceDiskStats } from './piece-disk.js';
import type { PieceKey } from './piece-key.js';
import type { StoreMeter } from './store-meter.js';

/** What a cache holds at most. */
export interface PieceCacheOptions {
  /** Bytes of a piece. */
  readonly pieceBytes: number;
  /** Bytes in memory. */
  readonly memoryBytesMax: number;
  /** Default: nothing is kept on disk. */
  readonly disk?: Omit<PieceDiskOptions, 'pieceBytes'> | undefined;
  /** Counts what is found. */
  readonly meter?: StoreMeter | undefined;
}

/** What a cache did since it was made, in its thread. */
export interface PieceCacheStats {
  /** Pieces, and their bytes, that were found in memory (or were on their way to another reader), on disk, and had from the store. */
  readonly memoryHits: number;
  readonly diskHits: number;
  readonly misses: number;
  readonly bytesFromMemory: number;
  readonly bytesFromDisk: number;
  readonly bytesFromStore: number;
  /** Bytes in memory now. */
  readonly memoryBytes: number;
  /** Undefined where nothing is kept on disk. */
  readonly disk: PieceDiskStats | undefined;
}

/** Gives the bytes of `count` pieces from the one numbered `first` on. */
export type FetchPieces = (first: number, count: number, signal: AbortSignal) => Promise<Uint8Array>;

/**
 * Pieces of objects that never change, in memory and on disk. Each is fetched once however many readers of the thread want
 * it; the fetch ends when the last of them has left. Neighbours that are missing are one fetch.
 */
export class PieceCache {
  readonly pieceBytes: number;
  readonly #memoryBytesMax: number;
  readonly #meter: StoreMeter | undefined;
  readonly #disk: PieceDisk | undefined;
  /** Least recently used first. */
  readonly #memory = new Map<string, Uint8Array>();
  #memoryBytes = 0;
  readonly #flights = new Map<string, Flight>();
  readonly #counts = {
    memoryHits: 0,
    diskHits: 0,
    misses: 0,
    bytesFromMemory: 0,
    bytesFromDisk: 0,
    bytesFromStore: 0,
  };

  constructor({ pieceBytes, memoryBytesMax, disk, meter }: PieceCacheOptions) {
    this.#meter = meter;
    this.pieceBytes = pieceBytes;
    this.#memoryBytesMax = memoryBytesMax;
    this.#disk = disk === undefined ? undefined : new PieceDisk({ ...disk, pieceBytes });
  }

  get stats(): PieceCacheStats {
    return { ...this.#counts, memoryBytes: this.#memoryBytes, disk: this.#disk?.stats };
  }

  /**
   * The pieces of `keys`, all of one object and in its order. They are shared: to be read, not changed.
   *
   * @throws what `fetch` throws; SpiralError `cancelled` by `signal`, naming `what`.
   */
  read(
    keys: readonly PieceKey[],
    fetch: FetchPieces,
    signal: AbortSignal | undefined,
    what: string,
  ): Promise<Uint8Array[]> {
    const own: Flight[] = [];
    const found = keys.map((key) => {
      const text = key.text;
      const held = this.#held(text);
      if (held !== undefined) return held;
      let flight = this.#flights.get(text);
      if (flight === undefined) {
        flight = new Flight(key, text);
        this.#flights.set(text, flight);
        own.push(flight);
      } else this.#count('Memory', key.lengthMax);
      return flight.wait(signal, what);
    });
    if (own.length > 0) void this.#bring(own, fetch);
    return Promise.all(found);
  }

  /** The piece of `key` where it is kept. */
  async find(key: PieceKey): Promise<Uint8Array | undefined> {
    return this.#held(key.text) ?? this.#onDisk(key);
  }

  /** Keeps a piece that was had from the store. `bytes` must not change any more. */
  keep(key: PieceKey, bytes: Uint8Array): void {
    this.#count('Store', bytes.length);
    this.#hold(key.text, bytes);
    this.#disk?.write(key, bytes);
  }

  /** Resolves once all that was to be written to the disk is. */
  async settled(): Promise<void> {
    await this.#disk?.settled();
  }

  async close(): Promise<void> {
    this.#memory.clear();
    this.#memoryBytes = 0;
    await this.#disk?.close();
  }

  /** Settles every flight of `own`. Never rejects. */
  async #bring(own: readonly Flight[], fetch: FetchPieces): Promise<void> {
    const missing: Flight[] = [];
    await Promise.all(
      own.map(async (flight) => {
        const bytes = await this.#onDisk(flight.key);
        if (bytes === undefined) missing.push(flight);
        else this.#land(flight, bytes);
      }),
    );
    missing.sort((a, b) => a.key.number - b.key.number);
    const runMax = Math.max(1, Math.floor(pieceRunBytesMax / this.pieceBytes));
    for (let from = 0; from < missing.length; ) {
      let to = from + 1;
      while (to < missing.length && to - from < runMax && follows(missing[to - 1]!, missing[to]!)) to++;
      void this.#fetch(missing.slice(from, to), fetch);
      from = to;
    }
  }

  async #fetch(run: readonly Flight[], fetch: FetchPieces): Promise<void> {
    const abort = new AbortController();
    const left = (): void => {
      if (run.some((flight) => flight.isWanted)) return;
      for (const flight of run) this.#settle(flight);
      abort.abort();
    };
    for (const flight of run) flight.onLeft = left;
    left();
    try {
      const bytes = await fetch(run[0]!.key.number, run.length, abort.signal);
      for (const [at, flight] of run.entries()) {
        const from = at * this.pieceBytes;
        // A copy: a piece that stays in memory must not hold the whole run there.
        const piece = run.length === 1 ? bytes : new Uint8Array(bytes.subarray(from, from + flight.key.lengthMax));
        this.keep(flight.key, piece);
        this.#settle(flight);
        flight.resolve(piece);
      }
    } catch (error) {
      for (const flight of run) {
        this.#settle(flight);
        flight.reject(error);
      }
    }
  }

  #land(flight: Flight, bytes: Uint8Array): void {
    this.#settle(flight);
    flight.resolve(bytes);
  }

  #settle(flight: Flight): void {
    flight.onLeft = undefined;
    if (this.#flights.get(flight.text) === flight) this.#flights.delete(flight.text);
  }

  async #onDisk(key: PieceKey): Promise<Uint8Array | undefined> {
    const bytes = await this.#disk?.read(key);
    if (bytes === undefined) return undefined;
    this.#count('Disk', bytes.length);
    this.#hold(key.text, bytes);
    return bytes;
  }

  #held(text: string): Uint8Array | undefined {
    const bytes = this.#memory.get(text);
    if (bytes === undefined) return undefined;
    this.#memory.delete(text);
    this.#memory.set(text, bytes);
    this.#count('Memory', bytes.length);
    return bytes;
  }

  #hold(text: string, bytes: Uint8Array): void {
    if (bytes.length > this.#memoryBytesMax || this.#memory.has(text)) return;
    this.#memory.set(text, bytes);
    this.#memoryBytes += bytes.length;
    for (const [oldest, { length }] of this.#memory) {
      if (this.#memoryBytes <= this.#memoryBytesMax) return;
      this.#memory.delete(oldest);
      this.#memoryBytes -= length;
    }
  }

  #count(found: 'Memory' | 'Disk' | 'Store', length: number): void {
    const [hits, all] = found === 'Store' ? (['misses', 'cacheMisses'] as const) : hitsOf[found];
    this.#counts[hits]++;
    this.#counts[`bytesFrom${found}`] += length;
    this.#meter?.add(all);
    this.#meter?.add(`cacheBytesFrom${found}`, length);
  }
}

const hitsOf = {
  Memory: ['memoryHits', 'cacheMemoryHits'],
  Disk: ['diskHits', 'cacheDiskHits'],
} as const;

/** A piece on its way, and who waits for it. */
class Flight {
  readonly key: PieceKey;
  readonly text: string;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** Called when somebody gave up waiting. */
  onLeft: (() => void) | undefined;
  readonly #landed: Promise<Uint8Array>;
  #waiting = 0;

  constructor(key: PieceKey, text: string) {
    this.key = key;
    this.text = text;
    let settle!: [(bytes: Uint8Array) => void, (error: unknown) => void];
    this.#landed = new Promise((resolve, reject) => {
      settle = [resolve, reject];
    });
    [this.resolve, this.reject] = settle;
  }

  get isWanted(): boolean {
    return this.#waiting > 0;
  }

  async wait(signal: AbortSignal | undefined, what: string): Promise<Uint8Array> {
    this.#waiting++;
    try {
      return await abortable(this.#landed, signal, what);
    } finally {
      this.#waiting--;
      this.onLeft?.();
    }
  }
}

function follows(before: Flight, after: Flight): boolean {
  return after.key.number === before.key.number + 1;
}
