/** What is counted, in the order in which it stands in memory. */
const counters = [
  'reads',
  'writes',
  'lists',
  'heads',
  'failures',
  'retries',
  'hedges',
  'hedgesWon',
  'bytesRead',
  'bytesWritten',
  'readMicros',
  'waitMicros',
  'cacheMemoryHits',
  'cacheDiskHits',
  'cacheMisses',
  'cacheBytesFromMemory',
  'cacheBytesFromDisk',
  'cacheBytesFromStore',
] as const;

export type StoreCounter = (typeof counters)[number];

/** What was asked of far stores, and how they answered. */
export interface StoreMetrics {
  /** Operations: those that read bytes, puts and deletions, lists (each once, however many pages), looks at one object. Tries again are `retries`. */
  readonly reads: number;
  readonly writes: number;
  readonly lists: number;
  readonly heads: number;
  /** Operations that failed in the end; objects that are not there, and what was cancelled, are none. */
  readonly failures: number;
  /** Tries of operations after the first. */
  readonly retries: number;
  /** Reads that were asked for a second time as the first was slow, and those of them that were answered first. */
  readonly hedges: number;
  readonly hedgesWon: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Milliseconds of all reads together, from the request to the last byte; reads at the same time each count. */
  readonly readMs: number;
  /** Milliseconds that operations waited for their turn, by `limits.concurrency` and `limits.bytes_per_second`. */
  readonly waitMs: number;
  /** Milliseconds that half, and all but one in a hundred, of the reads took at most, within a factor of 1.2; 0 without reads. */
  readonly readMsP50: number;
  readonly readMsP99: number;
  /** Pieces that caches had in memory and on disk, and had to ask the stores for, and their bytes. */
  readonly cacheMemoryHits: number;
  readonly cacheDiskHits: number;
  readonly cacheMisses: number;
  readonly cacheBytesFromMemory: number;
  readonly cacheBytesFromDisk: number;
  readonly cacheBytesFromStore: number;
}

/** Classes of times of reads: each of one and its next is a factor of 1.2 apart, from 10 µs to an hour. */
const classes = 112;
const classBase = 1.2;
const firstMicros = 10;

/** Bytes of the memory that all threads of a meter share. */
const meterBytes = 8 * (counters.length + classes);

/** Counts what is asked of far stores, by all threads that have the same `shared` memory. */
export class StoreMeter {
  readonly shared: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(meterBytes)) {
    this.shared = shared;
    this.#cells = new BigInt64Array(shared);
  }

  /** @param count a whole number once rounded. */
  add(counter: StoreCounter, count = 1): void {
    Atomics.add(this.#cells, counters.indexOf(counter), BigInt(Math.round(count)));
  }

  /** Counts a read of `bytes` that took `micros`. */
  read(bytes: number, micros: number): void {
    this.add('bytesRead', bytes);
    this.add('readMicros', micros);
    const above = Math.max(0, Math.ceil(Math.log(micros / firstMicros) / Math.log(classBase)));
    Atomics.add(this.#cells, counters.length + Math.min(classes - 1, above), 1n);
  }

  get metrics(): StoreMetrics {
    const cells = Array.from({ length: this.#cells.length }, (_, at) => Number(Atomics.load(this.#cells, at)));
    const counts = Object.fromEntries(counters.map((name, at) => [name, cells[at]!])) as Record<StoreCounter, number>;
    const { readMicros, waitMicros, ...others } = counts;
    const times = cells.slice(counters.length);
    return {
      ...others,
      readMs: readMicros / 1000,
      waitMs: waitMicros / 1000,
      readMsP50: quantileMs(times, 0.5),
      readMsP99: quantileMs(times, 0.99),
    };
  }
}

function quantileMs(times: readonly number[], share: number): number {
  const all = times.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [at, count] of times.entries()) {
    below += count;
    if (count > 0 && below >= share * all) return (firstMicros * classBase ** at) / 1000;
  }
  return 0;
}
