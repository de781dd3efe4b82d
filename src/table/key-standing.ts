/** Finds out whether any of several tables has a key, by what all sets with it say. */
export class KeyStanding {
  /** By table: the order of the newest write of the key and that of its newest deletion; -1 for none. */
  readonly #written: Int32Array;
  readonly #deleted: Int32Array;

  constructor(tables: number) {
    this.#written = new Int32Array(tables).fill(-1);
    this.#deleted = new Int32Array(tables).fill(-1);
  }

  add(table: number, written: number, deleted: number): void {
    if (written > this.#written[table]!) this.#written[table] = written;
    if (deleted > this.#deleted[table]!) this.#deleted[table] = deleted;
  }

  /** Whether a table has the key, which is then forgotten. */
  settle(): boolean {
    const isThere = this.#written.some((written, table) => written > this.#deleted[table]!);
    this.#written.fill(-1);
    this.#deleted.fill(-1);
    return isThere;
  }
}
