import type { Schema } from 'apache-arrow';
import { columnTree, treeSchema } from '../table/column.js';
import type { TableStore } from '../table/table-store.js';
import type { TableVersion } from '../table/version.js';
import type { Table } from './table.js';

/** A table at one moment. Found when it is first used, and the same from then on. */
export class Snapshot {
  readonly table: Table;
  readonly #store: TableStore;
  readonly #asof: number | undefined;
  #version: Promise<TableVersion> | undefined;

  /** Made by `Table.snapshot`. */
  constructor(table: Table, store: TableStore, asof: number | undefined) {
    this.table = table;
    this.#store = store;
    this.#asof = asof;
  }

  /** When the version was committed, in microseconds since the epoch: scan with `{ asof }` to read just this. */
  async asof(): Promise<number> {
    return (await this.#found()).time;
  }

  /** The schema of the version's columns. @throws SpiralError `version_not_found` for a time before the table. */
  async schema(): Promise<Schema> {
    return treeSchema(columnTree((await this.#found()).columns));
  }

  #found(): Promise<TableVersion> {
    if (this.#version === undefined) {
      this.#version = this.#asof === undefined ? this.#store.latest() : this.#store.asof(this.#asof);
      this.#version.catch(() => {
        this.#version = undefined;
      });
    }
    return this.#version;
  }
}
