import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { Transaction } from '../../src/client/transaction.js';
import { isSpiralError } from '../../src/core/errors.js';
import { lawRuns } from '../laws.js';
import { newTable, spiralAt } from './spiral-at.js';
import type { Draw } from './table-model.js';

const keys = [1n, 2n, 5n];
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

type Step =
  | { readonly write: readonly Ref[]; readonly values: readonly (readonly unknown[])[] }
  | { readonly drop: Ref };

/** What a table holds, by the rules of laws 14, 17 and 20. */
interface State {
  readonly columns: ReadonlyMap<string, { readonly id: number; readonly type: Type }>;
  /** By column, the values of all keys. */
  readonly cells: ReadonlyMap<number, readonly unknown[]>;
  readonly nextId: number;
  readonly isWritten: boolean;
}

/** The state behind `steps`; undefined where they conflict with it. */
function committed(state: State, steps: readonly Step[]): State | undefined {
  const columns = new Map(state.columns);
  const cells = new Map(state.cells);
  let { nextId, isWritten } = state;
  for (const step of steps) {
    if ('drop' in step) {
      const own = columns.get(step.drop.path);
      if (own === undefined || (step.drop.id !== undefined && own.id !== step.drop.id)) return undefined;
      columns.delete(step.drop.path);
      continue;
    }
    isWritten = true;
    for (const [at, { path, type, id }] of step.write.entries()) {
      const own = columns.get(path);
      if (id !== undefined && own?.id !== id) return undefined;
      if (own !== undefined && own.type !== type) return undefined;
      const column = own ?? { id: nextId++, type };
      columns.set(path, column);
      cells.set(column.id, step.values[at]!);
    }
  }
  return { columns, cells, nextId, isWritten };
}

function rowsOf({ columns, cells, isWritten }: State): Row[] {
  if (!isWritten) return [];
  return keys.map((id, at) => {
    const row: Row = { id };
    for (const [path, column] of columns) place(row, path, cells.get(column.id)![at]);
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
    if (there.length > 0 && g(fc.nat, 3) === 0)
      return this.#drop(this.#known.get(there[g(fc.nat, there.length - 1)]!)!);
    const chosen = g(() => fc.subarray(paths, { minLength: 1 }));
    const write = chosen.map((path): Ref => {
      const type = g(() => fc.constantFrom(...types));
      return this.#known.get(path) ?? { path, type, id: undefined };
    });
    const values = write.map(({ type }) => keys.map(() => g(() => arbValue(type))));
    const rows = keys.map((id, at) => {
      const row: Row = { id };
      for (const [column, { path }] of write.entries()) place(row, path, values[column]![at]);
      return row;
    });
    await this.#txn.write(rows);
    for (const ref of write) this.#known.set(ref.path, ref);
    this.steps.push({ write, values });
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
  let state: State = { columns: new Map(), cells: new Map(), nextId: 0, isWritten: false };
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
    }
  }
  for (const { time, rows } of kept) {
    expect(await (await spiral.scan(table, { asof: time })).toRows()).toEqual(rows);
  }
}

describe('transactions that are under way at once', () => {
  it('come in cell by cell in the order of their commits, or conflict by the rules (laws 14, 17, 20)', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        await using spiral = spiralAt();
        await tell(g, spiral);
      }),
      { numRuns: lawRuns(60, 2000), endOnFailure: true },
    ));
});
