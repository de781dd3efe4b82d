import { DataType, type RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import { parseType, typeWords } from '../../src/arrow/words.js';
import { encodeKeyValues } from '../../src/table/key-values.js';
import { arbPlainWords, arbValue, arbWords, canonical } from '../arrow/arbitrary.js';

/**
 * Draws what a test needs, one thing at a time: fast-check's `fc.gen()`. It takes calls of a named function with like
 * arguments for the same, and Dates for alike: all but numbers goes into a function of its own.
 */
export type Draw = fc.GeneratorValue;

/** A column of the model; a path dropped and added again is another one. */
export interface ModelColumn {
  readonly path: readonly string[];
  readonly type: DataType;
}

type Cells = Map<ModelColumn, unknown>;

/** A row as people see it. */
export type Row = Record<string, unknown>;

const keyWords = arbPlainWords.map((words) => parseType(words));

/** Words of types that a column of a table may have: structs are no columns, and dictionaries stand on their own. */
export const columnWords: fc.Arbitrary<string> = arbWords(1).filter(
  (words) => !words.startsWith('struct') && (words.startsWith('dictionary') || !words.includes('dictionary')),
);

/** What a table must hold: a plain map from keys to cells, written to by the rules of law 14. */
export class TableModel {
  readonly keys: readonly { readonly name: string; readonly type: DataType }[];
  readonly columns: ModelColumn[] = [];
  readonly #rows = new Map<string, { readonly key: readonly unknown[]; readonly cells: Cells }>();

  constructor(keys: readonly { readonly name: string; readonly type: DataType }[]) {
    this.keys = keys;
  }

  /** With one to three key columns of any type. */
  static drawn(g: Draw): TableModel {
    const types = g(() => fc.array(keyWords, { minLength: 1, maxLength: 3 }));
    return new TableModel(types.map((type, at) => ({ name: `k${at}`, type })));
  }

  get keySchema(): Record<string, string> {
    return Object.fromEntries(this.keys.map(({ name, type }) => [name, typeWords(type)]));
  }

  /** The encoded form of a key, for order and equality. */
  encoded(key: readonly unknown[]): Buffer {
    return Buffer.from(
      encodeKeyValues(
        key,
        this.keys.map(({ type }) => type),
        this.keys.map(({ name }) => name),
      ),
    );
  }

  /** Up to `most` keys, in order, no two alike; values as a builder takes them. */
  drawKeys(g: Draw, most: number): unknown[][] {
    const sound = this.keys.map(({ type }) => arbValue(type).filter((value) => value !== null && value !== undefined));
    const tuples = g(() => fc.array(fc.tuple(...sound), { minLength: 4, maxLength: most }));
    const byCode = new Map(
      tuples.map((key) => [this.encoded(key.map((v, at) => canonical(this.keys[at]!.type, v))).toString('hex'), key]),
    );
    return [...byCode].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
  }

  /** Writes `values[row][column]` under `keys[row]`. */
  write(keys: readonly (readonly unknown[])[], columns: readonly ModelColumn[], values: readonly unknown[][]): void {
    for (const column of columns) if (!this.columns.includes(column)) this.columns.push(column);
    for (const [at, raw] of keys.entries()) {
      const key = raw.map((value, part) => canonical(this.keys[part]!.type, value));
      const code = this.encoded(key).toString('hex');
      const cells: Cells = this.#rows.get(code)?.cells ?? new Map();
      for (const [part, column] of columns.entries()) cells.set(column, canonical(column.type, values[at]![part]));
      // A key is written with its row: -0 over 0, which are one key.
      this.#rows.set(code, { key, cells });
    }
  }

  /** Deletes rows; a key that is not there is passed over. */
  delete(keys: readonly (readonly unknown[])[]): void {
    for (const raw of keys) {
      const key = raw.map((value, part) => canonical(this.keys[part]!.type, value));
      this.#rows.delete(this.encoded(key).toString('hex'));
    }
  }

  drop(column: ModelColumn): void {
    this.columns.splice(this.columns.indexOf(column), 1);
  }

  /** Whether a column at `path` can be added beside those there are. */
  fits(path: readonly string[]): boolean {
    return this.columns.every((column) => {
      const shared = Math.min(path.length, column.path.length);
      return path.slice(0, shared).join('.') !== column.path.slice(0, shared).join('.');
    });
  }

  /** Every row, in key order. */
  rows(): Row[] {
    return [...this.#rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { key, cells }]) => {
        const row: Row = {};
        for (const [at, { name }] of this.keys.entries()) row[name] = key[at];
        for (const column of this.columns) place(row, column.path, cells.get(column) ?? null);
        return row;
      });
  }

  /** Rows as `write` takes them, plain. */
  objects(keys: readonly (readonly unknown[])[], columns: readonly ModelColumn[], values: readonly unknown[][]): Row[] {
    return keys.map((key, row) => {
      const object: Row = {};
      for (const [at, { name }] of this.keys.entries()) object[name] = key[at];
      for (const [at, { path }] of columns.entries()) place(object, path, values[row]![at] ?? null);
      return object;
    });
  }

  /** The same as Arrow data, with types of its own. */
  batch(
    keys: readonly (readonly unknown[])[],
    columns: readonly ModelColumn[],
    values: readonly unknown[][],
  ): RecordBatch {
    const tree = new Map<string, unknown>();
    for (const { path, type } of columns) plant(tree, path, type);
    const fields = [
      ...this.keys.map(({ name, type }) => [name, typeWords(type)] as const),
      ...Array.from(tree, ([name, node]) => [name, nodeWords(node)] as const),
    ];
    const objects = this.objects(keys, columns, values);
    const lists = fields.map(([name]) => [name, objects.map((row) => row[name])] as const);
    return columnsToBatch(Object.fromEntries(lists), toSchema(fields, 'the model'));
  }
}

function place(row: Row, path: readonly string[], value: unknown): void {
  let inside = row;
  for (const name of path.slice(0, -1)) inside = (inside[name] ??= {}) as Row;
  inside[path.at(-1)!] = value;
}

function plant(tree: Map<string, unknown>, path: readonly string[], type: DataType): void {
  const [name, ...rest] = path;
  if (rest.length === 0) tree.set(name!, type);
  else {
    if (!tree.has(name!)) tree.set(name!, new Map());
    plant(tree.get(name!) as Map<string, unknown>, rest, type);
  }
}

function nodeWords(node: unknown): string {
  if (DataType.isDataType(node)) return typeWords(node);
  const inner = Array.from(node as Map<string, unknown>, ([name, child]) => `${name}: ${nodeWords(child)}`);
  return `struct<{${inner.join(', ')}}>`;
}
