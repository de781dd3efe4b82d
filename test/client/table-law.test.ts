import fc from 'fast-check';
import { describe, it } from 'vitest';
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
  readonly #blocks: readonly (readonly unknown[][])[];
  /** Blocks that were first written together, `from … to`: they can only be written together again. */
  readonly #runs: { from: number; to: number }[] = [];

  constructor(g: Draw, table: Table, model: TableModel) {
    this.#g = g;
    this.#table = table;
    this.#model = model;
    const keys = model.drawKeys(g, 24);
    const blocks: unknown[][][] = [];
    while (keys.length > 0) blocks.push(keys.splice(0, g(fc.integer, { min: 1, max: 9 })));
    this.#blocks = blocks;
  }

  async step(): Promise<void> {
    const droppable = this.#model.columns;
    if (droppable.length > 0 && this.#g(fc.nat, 4) === 0)
      await this.#drop(droppable[this.#g(fc.nat, droppable.length - 1)]!);
    else await this.#write();
    const time = await this.#table.snapshot().asof();
    this.kept.push({ time, rows: this.#model.rows() });
  }

  async #drop(column: ModelColumn): Promise<void> {
    await this.#table.dropColumns([column.path.join('.')]);
    this.#model.drop(column);
  }

  async #write(): Promise<void> {
    const g = this.#g;
    const { from, to } = this.#drawBlocks();
    const keys = this.#blocks.slice(from, to).flat();
    const order = g(() => fc.shuffledSubarray(keys, { minLength: keys.length }));
    const added = this.#drawAdded();
    const known = g(() => fc.subarray([...this.#model.columns]));
    const columns = [...known, ...added];
    const values = order.map(() => columns.map(({ type }) => g(() => arbValue(type))));
    const batchRows = g(fc.integer, { min: 1, max: 8 });
    await this.#table.write(this.#form(order, columns, values, added.length > 0), { batchRows });
    this.#model.write(order, columns, values);
  }

  #drawBlocks(): { from: number; to: number } {
    let from = this.#g(fc.nat, this.#blocks.length - 1);
    let to = Math.min(this.#blocks.length, from + this.#g(fc.integer, { min: 1, max: 3 }));
    for (const run of this.#runs) {
      if (run.from >= to || run.to <= from) continue;
      [from, to] = [Math.min(from, run.from), Math.max(to, run.to)];
    }
    for (let block = from; block < to; block++) {
      if (this.#runs.some((run) => run.from <= block && block < run.to)) continue;
      const end = this.#runs.filter((run) => run.from > block).reduce((least, run) => Math.min(least, run.from), to);
      this.#runs.push({ from: block, to: end });
    }
    this.#runs.sort((a, b) => a.from - b.from);
    return { from, to };
  }

  /** Plain objects where the table knows the types, else Arrow data, in one piece or several. */
  #form(keys: unknown[][], columns: ModelColumn[], values: unknown[][], isNew: boolean): Parameters<Table['write']>[0] {
    const model = this.#model;
    if (!isNew && this.#g(fc.boolean)) return model.objects(keys, columns, values);
    const cut = this.#g(fc.nat, keys.length);
    if (cut === 0 || cut === keys.length) return model.batch(keys, columns, values);
    return [
      model.batch(keys.slice(0, cut), columns, values.slice(0, cut)),
      model.batch(keys.slice(cut), columns, values.slice(cut)),
    ];
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
    const again = await spiral.resumeScan(scan.stateJson());
    const shards = await again.shards();
    const parts: Row[] = [];
    for (const shard of shards) parts.push(...(await again.toRows({ shards: [shard] })));
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
      { numRuns: lawRuns(60, 1500), ...limits },
    ));

  it('holds the same in files', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        await using folder = await temporaryFolder();
        await tell(g, folder.path);
      }),
      { numRuns: lawRuns(10, 200), ...limits },
    ));
});
