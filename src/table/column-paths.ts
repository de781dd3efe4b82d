import { type Column, pathText } from './column.js';

/** Columns by path, and the structs that they make. */
export class ColumnPaths {
  readonly #columns = new Map<string, Column>();
  /** By the path of a struct: the columns inside it, at any depth. */
  readonly #structs = new Map<string, Set<Column>>();

  constructor(columns: Iterable<Column>) {
    for (const column of columns) this.add(column);
  }

  get(path: readonly string[]): Column | undefined {
    return this.#columns.get(pathText(path));
  }

  add(column: Column): void {
    this.#columns.set(pathText(column.path), column);
    for (const struct of outer(column.path)) {
      const inside = this.#structs.get(struct);
      if (inside === undefined) this.#structs.set(struct, new Set([column]));
      else inside.add(column);
    }
  }

  delete(path: readonly string[]): void {
    const column = this.get(path);
    if (column === undefined) return;
    this.#columns.delete(pathText(path));
    for (const struct of outer(path)) {
      const inside = this.#structs.get(struct)!;
      inside.delete(column);
      if (inside.size === 0) this.#structs.delete(struct);
    }
  }

  /** A column that cannot stand beside one at `path`, as one of the two would be a struct and a leaf at once. */
  clash(path: readonly string[]): Column | undefined {
    for (const struct of outer(path)) {
      const column = this.#columns.get(struct);
      if (column !== undefined) return column;
    }
    const [inside] = this.#structs.get(pathText(path)) ?? [];
    return inside;
  }
}

/**
 * A column that cannot stand among `columns`: of the number or path of another, or a struct and a leaf at once. A tree of
 * such columns would have no end.
 */
export function misplacedColumn(columns: readonly Column[]): Column | undefined {
  const paths = new ColumnPaths([]);
  const ids = new Set<number>();
  return columns.find((column) => {
    if (ids.has(column.id) || (paths.get(column.path) ?? paths.clash(column.path)) !== undefined) return true;
    ids.add(column.id);
    paths.add(column);
    return false;
  });
}

/** The paths of the structs around `path`, from the outermost in. */
function outer(path: readonly string[]): string[] {
  return path.slice(1).map((_, depth) => pathText(path.slice(0, depth + 1)));
}
