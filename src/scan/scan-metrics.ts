/** What reading took so far. */
export interface ScanMetrics {
  /**
   * Bytes read from the store, and reads that took: of tables those of rows, without the ends of data files, which are read
   * once a process and shared by its scans; of files all that opening them took as well.
   */
  readonly bytes: number;
  readonly requests: number;
  /** Rows and batches given. */
  readonly rows: number;
  readonly batches: number;
  /** Data files that were opened; of a scan of files, those of which something was read. */
  readonly filesOpened: number;
  /** Data files that a filter ruled out by the keys alone, wherever reading came by them: nothing of their rows was read. */
  readonly filesPruned: number;
  /** Record batches, pieces of merged rows or groups of files that a filter ruled out by keys or statistics: nothing of them was read. */
  readonly batchesPruned: number;
  /** Milliseconds of all reads of batches together, decoding and filtering included; reads at the same time each count. */
  readonly readMs: number;
}

/** Counts for {@link ScanMetrics}. */
export class ScanCounts {
  /** Added to by every read. */
  readonly read: { bytes: number; requests: number };
  readonly #opened = new Set<string>();
  readonly #pruned = new Set<string>();
  #rows = 0;
  #batches = 0;
  #batchesPruned = 0;
  #readMs = 0;

  /** `before` is what was read already. */
  constructor(before: { readonly bytes: number; readonly requests: number } = { bytes: 0, requests: 0 }) {
    this.read = { ...before };
  }

  add(rows: number, ms: number): void {
    this.#readMs += ms;
    if (rows === 0) return;
    this.#rows += rows;
    this.#batches++;
  }

  opened(path: string): void {
    this.#opened.add(path);
    this.#pruned.delete(path);
  }

  prunedFile(path: string): void {
    if (!this.#opened.has(path)) this.#pruned.add(path);
  }

  prunedBatches(count: number): void {
    this.#batchesPruned += count;
  }

  get metrics(): ScanMetrics {
    return {
      ...this.read,
      rows: this.#rows,
      batches: this.#batches,
      filesOpened: this.#opened.size,
      filesPruned: this.#pruned.size,
      batchesPruned: this.#batchesPruned,
      readMs: this.#readMs,
    };
  }
}
