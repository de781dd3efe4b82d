import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { Transaction } from '../../src/client/transaction.js';
import { isSpiralError } from '../../src/core/errors.js';
import { lawRuns } from '../laws.js';
import { newTable, spiralAt } from './spiral-at.js';
import type { Draw } from './table-model.js';

const keys = [1n, 2n, 5n, 6n, 9n];
const paths = ['a', 'b', 's.x', 's.y'];
const types = ['number', 'text', 'flag'] as const;
type Type = (typeof types)[number];
type Row = Record<string, unknown>;

/** A column as a transaction refers to it: by its number, or as a new one. */
interface Ref {
  readonly path: string;
  readonly type: Type;
  readonly id: number | undefined;
}

/** Rows are meant by their places in `keys`. */
type Step =
  | {
      readonly rows: readonly number[];
      readonly write: readonly Ref[];
      readonly values: readonly (readonly unknown[])[];
    }
  | { readonly drop: Ref }
  | { readonly deleted: readonly number[] };

/** What a table holds, by the rules of laws 14, 17 and 20. */
interface State {
  readonly columns: ReadonlyMap<string, { readonly id: number; readonly type: Type }>;
  /** The rows that are there, by their places in `keys`: values by column. */
  readonly rows: ReadonlyMap<number, ReadonlyMap<number, unknown>>;
  readonly nextId: number;
}

/** The state behind `steps`; undefined where they conflict with it. */
function committed(state: State, steps: readonly Step[]): State | undefined {
  const columns = new Map(state.columns);
  const rows = new Map(state.rows);
  let { nextId } = state;
  for (const step of steps) {
    if ('deleted' in step) {
      for (const row of step.deleted) rows.delete(row);
      continue;
    }
    if ('drop' in step) {
      const own = columns.get(step.drop.path);
      if (own === undefined || (step.drop.id !== undefined && own.id !== step.drop.id)) return undefined;
      columns.delete(step.drop.path);
      continue;
    }
    for (const row of step.rows) rows.set(row, new Map(rows.get(row)));
    for (const [at, { path, type, id }] of step.write.entries()) {
      const own = columns.get(path);
      if (id !== undefined && own?.id !== id) return undefined;
      if (own !== undefined && own.type !== type) return undefined;
      const column = own ?? { id: nextId++, type };
      columns.set(path, column);
      for (const [place, row] of step.rows.entries()) {
        (rows.get(row) as Map<number, unknown>).set(column.id, step.values[at]![place]);
      }
    }
  }
  return { columns, rows, nextId };
}

function rowsOf({ columns, rows }: State): Row[] {
  const places = [...rows.keys()].sort();
  return places.map((at) => {
    const row: Row = { id: keys[at] };
    for (const [path, column] of columns) place(row, path, rows.get(at)!.get(column.id) ?? null);
    return row;
  });
}

function place(row: Row, path: string, value: unknown): void {
  const [outer, inner] = path.split('.') as [string, string?];
  if (inner === undefined) row[outer] = value;
  else row[outer] = { ...(row[outer] as object | undefined), [inner]: value };
}

/** One of several transactions under way at once, and what it must come to. */
class Actor {
  readonly steps: Step[] = [];
  readonly #known: Map<string, Ref>;
  readonly #txn: Transaction;

  constructor(table: Table, state: State) {
    this.#txn = table.txn();
    this.#known = new Map(Array.from(state.columns, ([path, column]) => [path, { path, ...column }]));
  }

  /** Fixes the version that the transaction is made against. */
  begin(): Promise<void> {
    return this.#txn.write([]);
  }

  async step(g: Draw): Promise<void> {
    const there = [...this.#known.keys()];
    const choice = g(fc.nat, 5);
    if (there.length > 0 && choice === 0) {
      return this.#drop(this.#known.get(there[g(fc.nat, there.length - 1)]!)!);
    }
    const rows = g(() => fc.subarray([...keys.keys()], { minLength: 1 }));
    return choice <= 2 ? this.#delete(rows) : this.#write(g, rows);
  }

  /** Commits, by its own hand or through another transaction; false for a conflict. */
  async commit(table: Table, handsOn: boolean): Promise<boolean> {
    try {
      if (!handsOn) await this.#txn.commit();
      else {
        const operations = JSON.parse(JSON.stringify(await this.#txn.take()));
        await table.transaction(async (txn) => txn.include(operations));
      }
      return true;
    } catch (error) {
      if (!isSpiralError(error, 'write_conflict')) throw error;
      expect(error.details).toMatchObject({ ours: expect.any(String), version: expect.any(Number) });
      return false;
    }
  }

  async #write(g: Draw, rows: readonly number[]): Promise<void> {
    const chosen = g(() => fc.subarray(paths, { minLength: 1 }));
    const write = chosen.map((path): Ref => {
      const type = g(() => fc.constantFrom(...types));
      return this.#known.get(path) ?? { path, type, id: undefined };
    });
    const values = write.map(({ type }) => rows.map(() => g(() => arbValue(type))));
    const data = rows.map((at, number) => {
      const row: Row = { id: keys[at] };
      for (const [column, { path }] of write.entries()) place(row, path, values[column]![number]);
      return row;
    });
    await this.#txn.write(data);
    for (const ref of write) this.#known.set(ref.path, ref);
    this.steps.push({ rows, write, values });
  }

  async #delete(rows: readonly number[]): Promise<void> {
    await this.#txn.deleteKeys(rows.map((at) => ({ id: keys[at] })));
    this.steps.push({ deleted: rows });
  }

  async #drop(ref: Ref): Promise<void> {
    await this.#txn.dropColumns([ref.path]);
    this.#known.delete(ref.path);
    this.steps.push({ drop: ref });
  }
}

/** No nulls: a column of which nothing but nulls is known is left out. */
function arbValue(type: Type): fc.Arbitrary<unknown> {
  if (type === 'number') return fc.integer();
  return type === 'text' ? fc.string() : fc.boolean();
}

async function tell(g: Draw, spiral: Spiral): Promise<void> {
  const table = await newTable(spiral);
  let state: State = { columns: new Map(), rows: new Map(), nextId: 0 };
  const kept: { time: number; rows: Row[] }[] = [];
  for (let round = g(fc.integer, { min: 1, max: 3 }); round > 0; round--) {
    const actors = Array.from({ length: g(fc.integer, { min: 1, max: 3 }) }, () => new Actor(table, state));
    for (const actor of actors) await actor.begin();
    for (let turn = 0; turn < 2 * actors.length; turn++) await actors[g(fc.nat, actors.length - 1)]!.step(g);
    for (const actor of actors) {
      const next = committed(state, actor.steps);
      expect(await actor.commit(table, g(fc.boolean))).toBe(next !== undefined);
      state = next ?? state;
      kept.push({ time: await table.snapshot().asof(), rows: rowsOf(state) });
      if (g(fc.nat, 2) > 0) continue;
      // Beside the transactions that are still under way.
      await table.compact();
      kept.push({ time: await table.snapshot().asof(), rows: rowsOf(state) });
    }
  }
  for (const { time, rows } of kept) {
    expect(await (await spiral.scan(table, { asof: time })).toRows()).toEqual(rows);
  }
}

describe('transactions that are under way at once', () => {
  it(
    'come in cell by cell in the order of their commits, or conflict by the rules (laws 14, 17, 20)',
    { timeout: 900_000 },
    () =>
      fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          await using spiral = spiralAt();
          await tell(g, spiral);
        }),
        { numRuns: lawRuns(60, 2000), endOnFailure: true },
      ),
  );
});
