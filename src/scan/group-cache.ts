import type { Data } from 'apache-arrow';

interface Entry {
  readonly columns: Promise<readonly Data[]>;
  bytes: number;
}

/** Row groups that were decoded for a part of their rows, the least recently used let go first. */
export class GroupCache {
  readonly #groups = new Map<string, Entry>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The columns that `name` stands for, if they are here or on their way. */
  find(name: string): Promise<readonly Data[]> | undefined {
    const entry = this.#groups.get(name);
    if (entry === undefined) return undefined;
    this.#groups.delete(name);
    this.#groups.set(name, entry);
    return entry.columns;
  }

  /** The columns that `name` stands for, which `read` gives where they are not here. */
  get(name: string, read: () => Promise<readonly Data[]>): Promise<readonly Data[]> {
    return this.find(name) ?? this.#add(name, read());
  }

  #add(name: string, columns: Promise<readonly Data[]>): Promise<readonly Data[]> {
    const entry: Entry = { columns, bytes: 0 };
    this.#groups.set(name, entry);
    columns.then(
      (read) => {
        entry.bytes = read.reduce((sum, column) => sum + column.byteLength, 0);
        this.#bytes += entry.bytes;
        this.#shrink(name);
      },
      () => this.#groups.delete(name),
    );
    return columns;
  }

  #shrink(newest: string): void {
    for (const [name, { bytes }] of this.#groups) {
      if (this.#bytes <= this.#bytesMax) return;
      // What is still being read has no size yet, and what has just come is about to be used.
      if (bytes === 0 || name === newest) continue;
      this.#groups.delete(name);
      this.#bytes -= bytes;
    }
  }
}
