import type { Schema } from 'apache-arrow';

/** How large groups of rows are made. */
export interface GroupSizes {
  readonly rows: number;
  readonly bytes: number;
}

/** What a pass over a text file finds out: enough to read any of its groups by itself. */
export interface TextIndex {
  readonly schema: Schema;
  /** For CSV, the names of the header's fields; none for a file without one. */
  readonly header: readonly string[];
  /** `starts[g]` is the byte at which group `g` begins; the last entry is where the last one ends. */
  readonly starts: Float64Array;
  /** Rows before group `g`; the last entry is the file's number of rows. */
  readonly rowStarts: Float64Array;
}

/** Gathers the groups of a file from the places of its rows, which come in order. */
export class GroupList {
  readonly #sizes: GroupSizes;
  readonly #starts: number[] = [];
  readonly #rowStarts: number[] = [];
  #rows = 0;
  #end = 0;

  constructor(sizes: GroupSizes) {
    this.#sizes = sizes;
  }

  /** Rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** The next row is `from … to` of the file's bytes. A row larger than a group has one to itself. */
  add(from: number, to: number): void {
    const groups = this.#starts.length;
    const isFull =
      groups === 0 ||
      this.#rows - this.#rowStarts[groups - 1]! >= this.#sizes.rows ||
      to - this.#starts[groups - 1]! > this.#sizes.bytes;
    if (isFull) {
      this.#starts.push(from);
      this.#rowStarts.push(this.#rows);
    }
    this.#rows++;
    this.#end = to;
  }

  finish(schema: Schema, header: readonly string[]): TextIndex {
    const starts = Float64Array.from([...this.#starts, this.#end]);
    return { schema, header, starts, rowStarts: Float64Array.from([...this.#rowStarts, this.#rows]) };
  }
}
