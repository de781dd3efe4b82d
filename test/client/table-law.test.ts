import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import { parseType } from '../../src/arrow/words.js';
import { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import { arbValue, expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { columnWords, type Draw, type ModelColumn, type Row, TableModel } from './table-model.js';

const paths = ['a', 'b', 's', 's.x', 's.y', 's.t.z', 'u.v', 'constructor'].map((path) => path.split('.'));

/** What a version held, and when it was made. */
interface Kept {
  readonly time: number;
  readonly rows: Row[];
}

/** Writes a table and its model by random steps. */
class Story {
  readonly kept: Kept[] = [];
  readonly #g: Draw;
  readonly #table: Table;
  readonly #model: TableModel;
  readonly #keys: readonly unknown[][];
  /** Keys that were written or deleted together: often they are again. */
  readonly #sets: (readonly unknown[][])[] = [];

  constructor(g: Draw, table: Table, model: TableModel) {
    this.#g = g;
    this.#table = table;
    this.#model = model;
    this.#keys = model.drawKeys(g, 24);
  }

  async step(): Promise<void> {
    const droppable = this.#model.columns;
    const choice = this.#g(fc.nat, 9);
    if (droppable.length > 0 && choice === 0) await this.#drop(droppable[this.#g(fc.nat, droppable.length - 1)]!);
    else if (choice <= 2) await this.#delete();
    else await this.#write();
    const time = await this.#table.snapshot().asof();
    this.kept.push({ time, rows: this.#model.rows() });
  }

  async #drop(column: ModelColumn): Promise<void> {
    await this.#table.dropColumns([column.path.join('.')]);
    this.#model.drop(column);
  }

  async #delete(): Promise<void> {
    const keys = this.#drawKeys();
    const twice = this.#g(fc.boolean) ? [...keys, keys[0]!] : keys;
    const rows = twice.map(() => []);
    await this.#table.deleteKeys(
      this.#g(fc.boolean) ? this.#model.objects(twice, [], rows) : this.#model.batch(twice, [], rows),
    );
    this.#model.delete(keys);
  }

  async #write(): Promise<void> {
    const g = this.#g;
    const order = this.#drawKeys();
    const added = this.#drawAdded();
    const known = g(() => fc.subarray([...this.#model.columns]));
    const columns = [...known, ...added];
    const batchRows = g(fc.integer, { min: 1, max: 8 });
    const cut = g(fc.nat, order.length);
    if (cut === 0 || cut === order.length) {
      const values = this.#drawValues(order, columns);
      const plain = added.length === 0 && g(fc.boolean);
      const data = this.#model[plain ? 'objects' : 'batch'](order, columns, values);
      await this.#table.write(data as RecordBatch, { batchRows });
      this.#model.write(order, columns, values);
      return;
    }
    // Batches of one write with columns of their own: what a batch has not keeps its cells.
    const parts = [order.slice(0, cut), order.slice(cut)].map((keys) => {
      const own = g(fc.boolean) ? columns : g(() => fc.subarray(columns));
      return { keys, own, values: this.#drawValues(keys, own) };
    });
    const batches = parts.map(({ keys, own, values }) => this.#model.batch(keys, own, values));
    await this.#table.write(batches, { batchRows });
    for (const { keys, own, values } of parts) this.#model.write(keys, own, values);
  }

  #drawValues(keys: readonly unknown[][], columns: readonly ModelColumn[]): unknown[][] {
    return keys.map(() => columns.map(({ type }) => this.#g(() => arbValue(type))));
  }

  /** Keys in any order: neighbours, some of all, or just those of an earlier step. */
  #drawKeys(): unknown[][] {
    const g = this.#g;
    const choice = g(fc.nat, 3);
    let keys: readonly unknown[][];
    if (choice === 0 && this.#sets.length > 0) keys = this.#sets[g(fc.nat, this.#sets.length - 1)]!;
    else if (choice <= 2) keys = g(() => fc.subarray([...this.#keys], { minLength: 1 }));
    else {
      const from = g(fc.nat, this.#keys.length - 1);
      keys = this.#keys.slice(from, from + g(fc.integer, { min: 1, max: 12 }));
    }
    this.#sets.push(keys);
    return g(() => fc.shuffledSubarray([...keys], { minLength: keys.length }));
  }

  #drawAdded(): ModelColumn[] {
    const added: ModelColumn[] = [];
    for (const path of this.#g(() => fc.subarray(paths, { maxLength: 2 }))) {
      const beside = new TableModel([]);
      beside.columns.push(...this.#model.columns, ...added);
      if (beside.fits(path)) added.push({ path, type: parseType(this.#g(() => columnWords)) });
    }
    return added;
  }
}

async function check(uri: string, tableId: string, kept: readonly Kept[]): Promise<void> {
  await using spiral = new Spiral({ config: { 'warehouse.uri': uri } });
  const table = await spiral.table(tableId);
  for (const [at, { time, rows }] of kept.entries()) {
    const asof = at % 2 === 0 ? time : BigInt(time);
    expectSameValues(await (await spiral.scan(table, { asof })).toRows(), rows);
    const scan = await spiral.scan(table, { asof });
    expectSameValues((await scan.toTable()).batches.flatMap(batchRows), rows);
    const again = await spiral.resumeScan(scan.stateJson());
    const shards = await again.shards();
    expect(shards.reduce((sum, { cardinality }) => sum + cardinality!, 0)).toBe(rows.length);
    expect(await again.isEmpty()).toBe(rows.length === 0);
    const parts: Row[] = [];
    for (const shard of shards) {
      const own = await again.toRows({ shards: [shard], batchReadahead: 0 });
      expect(own).toHaveLength(shard.cardinality!);
      parts.push(...own);
    }
    expectSameValues(parts, rows);
  }
  expectSameValues(await (await spiral.scan(table)).toRows(), kept.at(-1)!.rows);
}

async function tell(g: Draw, uri: string): Promise<void> {
  await using spiral = new Spiral({ config: { 'warehouse.uri': uri } });
  const project = await spiral.createProject('law');
  const model = TableModel.drawn(g);
  const table = await project.createTable('t', { keySchema: model.keySchema });
  const story = new Story(g, table, model);
  const steps = g(fc.integer, { min: 1, max: 7 });
  for (let step = 0; step < steps; step++) await story.step();
  expectSameValues(await (await spiral.scan(table)).toRows(), story.kept.at(-1)!.rows);
  await check(uri, table.id, story.kept);
}

/** A failure is told as it was found: shrinking would write hundreds of tables. */
const limits = { endOnFailure: true };

describe('a table', () => {
  it('holds what was written, column by column the newest, at every version (laws 14, 15, 18, 20), in memory', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), (g) => tell(g, `memory://${uniqueId('law-')}`)),
      { numRuns: lawRuns(90, 1500), ...limits },
    ));

  it('holds the same in files', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        await using folder = await temporaryFolder();
        await tell(g, folder.path);
      }),
      { numRuns: lawRuns(12, 200), ...limits },
    ));
});
