import type { Data } from 'apache-arrow';

/** Record batches that were read whole, the least recently used let go first. What it gives is never to be handed on. */
export class BatchCache {
  readonly #batches = new Map<string, { readonly data: Promise<Data[]>; bytes: number }>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  has(name: string): boolean {
    return this.#batches.has(name);
  }

  /** The columns that `name` stands for, which `read` gives where they are not there. */
  get(name: string, read: () => Promise<Data[]>): Promise<Data[]> {
    const kept = this.#batches.get(name);
    if (kept !== undefined) {
      this.#batches.delete(name);
      this.#batches.set(name, kept);
      return kept.data;
    }
    const entry = { data: read(), bytes: 0 };
    this.#batches.set(name, entry);
    entry.data.then(
      (columns) => {
        if (this.#batches.get(name) !== entry) return;
        entry.bytes = columns.reduce((sum, column) => sum + column.byteLength, 0);
        this.#bytes += entry.bytes;
        this.#shrink();
      },
      () => {
        if (this.#batches.get(name) === entry) this.#batches.delete(name);
      },
    );
    return entry.data;
  }

  #shrink(): void {
    for (const [name, { bytes }] of this.#batches) {
      if (this.#bytes <= this.#bytesMax) return;
      // What is still being read has no size yet, and somebody waits for it.
      if (bytes === 0) continue;
      this.#batches.delete(name);
      this.#bytes -= bytes;
    }
  }
}
