import type { Data, DataType } from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText, wrongType } from './column.js';
import { ColumnPaths } from './column-paths.js';
import type { Leaf } from './leaves.js';
import { newColumnId, type TableVersion } from './version.js';

/** A batch to be written: `data[i]` is column `columns[i]` of the write, keys first, the others in ascending order. */
export interface WrittenBatch {
  readonly rows: number;
  readonly columns: readonly number[];
  readonly data: readonly Data[];
}

/** The columns of one write, found as its batches come: the key first, then the others as they are first seen. */
export class WriteColumns {
  readonly list: Column[];
  readonly #keyCount: number;
  readonly #name: string;
  readonly #known: ColumnPaths;
  readonly #numbers = new Map<string, number>();

  constructor(table: TableVersion, name: string) {
    this.list = [...table.keys];
    this.#keyCount = table.keys.length;
    this.#name = name;
    this.#known = new ColumnPaths(table.columns);
    for (const [at, key] of table.keys.entries()) this.#numbers.set(pathText(key.path), at);
  }

  /**
   * Takes a batch.
   *
   * @throws SpiralError `invalid_key` for a key column that is missing or of another type; `type_mismatch`.
   */
  take(leaves: readonly Leaf[]): WrittenBatch {
    const found = leaves.map((leaf) => ({ number: this.#number(leaf), data: leaf.data }));
    found.sort((a, b) => a.number - b.number);
    for (let key = 0; key < this.#keyCount; key++) {
      if (found[key]?.number !== key) throw missingKey(this.list[key]!, this.#name, leaves);
    }
    const { length } = found[0]!.data;
    return { rows: length, columns: found.map(({ number }) => number), data: found.map(({ data }) => data) };
  }

  #number(leaf: Leaf): number {
    const path = pathText(leaf.path);
    let number = this.#numbers.get(path);
    if (number === undefined) {
      const clash = this.#known.clash(leaf.path);
      if (clash !== undefined) throw structClash(this.#name, leaf, clash);
      let column = this.#known.get(leaf.path);
      if (column === undefined) this.#known.add((column = { id: newColumnId, path: leaf.path, type: leaf.type }));
      checkType(column.type, leaf, false, this.#name);
      number = this.list.push(column) - 1;
      this.#numbers.set(path, number);
      return number;
    }
    checkType(this.list[number]!.type, leaf, number < this.#keyCount, this.#name);
    return number;
  }
}

function checkType(expected: DataType, leaf: Leaf, isKey: boolean, name: string): void {
  if (sameType(expected, leaf.type)) return;
  const error = wrongType(name, leaf.path, expected, leaf.type);
  if (!isKey) throw error;
  throw new SpiralError('invalid_key', error.message, { details: error.details });
}

function missingKey(key: Column, name: string, leaves: readonly Leaf[]): SpiralError {
  const found = leaves.map(({ path }) => pathText(path));
  return new SpiralError(
    'invalid_key',
    `Expected the rows for ${name} to have the key column '${pathText(key.path)}' (${typeWords(key.type)}), found only ` +
      `${found.slice(0, 20).join(', ')}.`,
    { details: { table: name, column: pathText(key.path), found } },
  );
}

function structClash(name: string, leaf: Leaf, clash: Column): SpiralError {
  const [inner, outer] = leaf.path.length > clash.path.length ? [leaf.path, clash.path] : [clash.path, leaf.path];
  return new SpiralError(
    'type_mismatch',
    `Expected '${pathText(outer)}' of ${name} to be either a struct or a column, but '${pathText(inner)}' makes it a ` +
      `struct and '${pathText(outer)}' a column. Write one of them under another name.`,
    { details: { table: name, column: pathText(leaf.path), other: pathText(clash.path) } },
  );
}
