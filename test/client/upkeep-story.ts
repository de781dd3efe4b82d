import fc from 'fast-check';
import { expect } from 'vitest';
import { parseType } from '../../src/arrow/words.js';
import type { Project } from '../../src/client/project.js';
import { Scan } from '../../src/client/scan.js';
import type { Table } from '../../src/client/table.js';
import type { Transaction } from '../../src/client/transaction.js';
import { isSpiralError } from '../../src/core/errors.js';
import { wallMicros } from '../../src/core/runtime.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import { versionRows } from '../../src/scan/version-rows.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { compactTable } from '../../src/table/compact.js';
import type { TableStore, TableStoreOptions } from '../../src/table/table-store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { arbValue, expectSameValues } from '../arrow/arbitrary.js';
import { columnWords, type Draw, type ModelColumn, type Row, TableModel } from './table-model.js';
import { WarehouseOver } from './warehouse-over.js';

/** A warehouse whose tables have a checkpoint every three commits. */
export class UpkeepWarehouse extends WarehouseOver {
  override get tableOptions(): TableStoreOptions {
    return { author: 'tester', checkpointEvery: 3 };
  }
}

/** The rows of version `version` of `table`. */
export async function rowsAt(warehouse: WarehouseOver, table: Table, version: number): Promise<Row[]> {
  return new Scan(await warehouse.openScan(scanRecipe([{ table: table.id, version }], table.node)), {
    batchReadahead: 8,
  }).toRows();
}

/** Compacts with fragments of `targetBytes`. */
export async function compactTo(table: TableStore, targetBytes: number): Promise<void> {
  await compactTable(table, { rows: (version) => versionRows(table, version), targetBytes });
}

const kinds = [
  ...['write', 'write', 'again', 'across', 'across', 'delete', 'transaction'],
  ...['drop', 'compact', 'compact', 'vacuum', 'tag', 'untag', 'reopen'],
];
const paths = ['a', 'b', 's.x', 's.y', 's.t.z'].map((path) => path.split('.'));

/** A table that is written, compacted, tagged and vacuumed by random steps, and what each of its versions must hold. */
export class UpkeepStory {
  readonly rows: Map<number, Row[]> = new Map<number, Row[]>();
  readonly times: Map<number, number> = new Map<number, number>();
  readonly tags: Map<string, number> = new Map<string, number>();
  floor = 1;
  readonly #g: Draw;
  readonly #store: ObjectStore;
  readonly #model: TableModel;
  readonly #keys: unknown[][];
  #warehouse: UpkeepWarehouse;
  #table: Table;
  #written = 0;

  private constructor(g: Draw, store: ObjectStore, model: TableModel, warehouse: UpkeepWarehouse, table: Table) {
    this.#g = g;
    this.#store = store;
    this.#model = model;
    this.#keys = model.drawKeys(g, 40);
    this.#warehouse = warehouse;
    this.#table = table;
  }

  static async begin(g: Draw, store: ObjectStore): Promise<UpkeepStory> {
    const warehouse = new UpkeepWarehouse(store);
    const model = new TableModel([{ name: 'id', type: parseType('utf8') }]);
    const project: Project = warehouse.project('p');
    const table = await project.createTable('t', { keySchema: model.keySchema });
    const story = new UpkeepStory(g, store, model, warehouse, table);
    await story.#keep();
    return story;
  }

  async step(): Promise<void> {
    const g = this.#g;
    const table = await this.#warehouse.openTable(this.#table.id);
    switch (g(() => fc.constantFrom(...kinds))) {
      case 'write':
        await this.#write(
          this.#table,
          this.#keys.slice(this.#written, this.#written + g(fc.integer, { min: 1, max: 6 })),
        );
        return this.#keep();
      case 'again':
        await this.#write(this.#table, this.#keys.slice(0, this.#written));
        return this.#keep();
      case 'across':
        await this.#write(this.#table, this.#drawKeys());
        return this.#keep();
      case 'delete':
        await this.#delete(this.#table);
        return this.#keep();
      case 'transaction':
        await this.#table.transaction(async (txn) => {
          for (let steps = g(fc.integer, { min: 1, max: 3 }); steps > 0; steps--) {
            if (g(fc.boolean)) await this.#delete(txn);
            else await this.#write(txn, this.#drawKeys());
          }
        });
        return this.#keep();
      case 'drop':
        return this.#drop();
      case 'compact':
        await compactTo(
          table,
          g(() => fc.constantFrom(1, 4000, 20_000, 2 ** 27)),
        );
        return this.#keep();
      case 'vacuum':
        return this.#vacuum(table);
      case 'tag':
        return this.#tag();
      case 'untag': {
        const [name] = g(() => fc.shuffledSubarray([...this.tags.keys()]));
        if (name === undefined) return;
        await this.#table.untag(name);
        this.tags.delete(name);
        return;
      }
      case 'reopen':
        this.#warehouse = new UpkeepWarehouse(this.#store);
        this.#table = await this.#warehouse.project('p').table('t');
    }
  }

  /** Whether `version` must be there. */
  isKept(version: number): boolean {
    return version >= this.floor || [...this.tags.values()].includes(version);
  }

  /** That every version kept holds its rows, by number and by time, and others are said to be vacuumed. */
  async check(): Promise<void> {
    const fresh = new UpkeepWarehouse(this.#store);
    const open = await fresh.project('p').table('t');
    const last = Math.max(...this.rows.keys());
    for (const [warehouse, table] of [
      [fresh, open],
      [this.#warehouse, this.#table],
    ] as const) {
      const store = await warehouse.openTable(table.id);
      for (const [version, rows] of this.rows) {
        const read = rowsAt(warehouse, table, version);
        const asof = store.asof(this.times.get(version)!);
        if (this.isKept(version)) {
          expectSameValues(await read, rows);
          expect((await asof).version).toBe(version);
        } else {
          for (const work of [read, asof]) {
            const error: unknown = await work.catch((reason: unknown) => reason);
            expect(isSpiralError(error, 'version_vacuumed'), `version ${version}: ${String(error)}`).toBe(true);
          }
        }
      }
      expect((await store.latest()).version).toBe(last);
    }
    const tags = (await open.tags()).map(({ name, version }) => [name, version] as const);
    expect(new Map(tags)).toEqual(this.tags);
    const history = await open.history();
    expect(history.map(({ version }) => version)).toEqual(
      Array.from({ length: last - this.floor + 1 }, (_, at) => this.floor + at),
    );
    expect(history.every(({ version, time }) => this.times.get(version) === time)).toBe(true);
  }

  async #keep(): Promise<void> {
    const { version, time } = await (await this.#warehouse.openTable(this.#table.id)).latest();
    if (this.rows.has(version)) return;
    expect(this.rows.has(version - 1) || version === 1).toBe(true);
    this.rows.set(version, this.#model.rows());
    this.times.set(version, time);
  }

  #drawKeys(): unknown[][] {
    return this.#g(() => fc.subarray(this.#keys, { minLength: 1 }));
  }

  async #write(to: Table | Transaction, keys: readonly unknown[][]): Promise<void> {
    const g = this.#g;
    if (keys.length === 0) return;
    const added: ModelColumn[] = [];
    for (const path of g(() => fc.subarray(paths, { maxLength: 2 }))) {
      if (this.#model.fits(path)) added.push({ path, type: parseType(g(() => columnWords)) });
    }
    const columns = [...g(() => fc.subarray([...this.#model.columns])), ...added];
    const values = keys.map(() => columns.map(({ type }) => g(() => arbValue(type))));
    await to.write(this.#model.batch(keys, columns, values), { batchRows: g(fc.integer, { min: 1, max: 8 }) });
    this.#model.write(keys, columns, values);
    this.#written = Math.max(this.#written, 1 + this.#keys.indexOf(keys.at(-1)!));
  }

  async #delete(from: Table | Transaction): Promise<void> {
    const keys = this.#drawKeys();
    await from.deleteKeys(
      this.#model.batch(
        keys,
        [],
        keys.map(() => []),
      ),
    );
    this.#model.delete(keys);
  }

  async #drop(): Promise<void> {
    const [column] = this.#g(() => fc.shuffledSubarray([...this.#model.columns]));
    if (column === undefined) return;
    await this.#table.dropColumns([column.path.join('.')]);
    this.#model.drop(column);
    await this.#keep();
  }

  async #tag(): Promise<void> {
    const name = this.#g(() => fc.constantFrom('one', 'two', 'three'));
    const [version] = this.#g(() => fc.shuffledSubarray([...this.rows.keys()], { minLength: 1 }));
    const error: unknown = await this.#table.tag(name, this.times.get(version!)!).catch((reason: unknown) => reason);
    if (!this.isKept(version!)) expect(isSpiralError(error, 'version_vacuumed')).toBe(true);
    else if ((this.tags.get(name) ?? version) !== version) expect(isSpiralError(error, 'already_exists')).toBe(true);
    else {
      expect(error).toMatchObject({ name, version, author: 'tester' });
      this.tags.set(name, version!);
    }
  }

  async #vacuum(table: TableStore): Promise<void> {
    const [version] = this.#g(() => fc.shuffledSubarray([...this.times.keys()], { minLength: 1 }));
    const retainMs = this.#g(fc.boolean) ? 0 : Math.max(0, (wallMicros() - this.times.get(version!)!) / 1000);
    const { floor } = await vacuumTable(table, { retainMs, graceMs: -1000 });
    expect(floor).toBeGreaterThanOrEqual(this.floor);
    if (retainMs === 0) expect(floor).toBe(Math.max(...this.rows.keys()));
    this.floor = floor;
  }
}
