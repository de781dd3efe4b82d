import { sameType } from '../arrow/schema.js';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, type ColumnNode, columnTree, pathText } from '../table/column.js';
import { joinedRuns, type KeyRun, keyRuns } from '../table/key-run.js';
import type { Fragment, TableVersion } from '../table/version.js';

/** A table at the version that is read. */
export interface VersionedTable {
  readonly name: string;
  readonly version: TableVersion;
}

/** A table among those that are read together. */
export interface JoinedTable {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  /** Its columns, by the numbers that they have among those of all tables. */
  readonly fields: readonly ColumnNode[];
  /** The number that its first column has or, if it were no key column, would have. */
  readonly firstColumn: number;
}

/**
 * Tables with one key schema, as one that has the columns of all: a row for each key that any of them has. Key columns are
 * the same in all of them and have one number, named as in the first; all others have numbers of their own.
 */
export interface JoinedTables {
  readonly tables: readonly JoinedTable[];
  readonly keys: readonly Column[];
  readonly columns: readonly Column[];
  readonly nextColumnId: number;
  /** In the order of their keys. */
  readonly runs: readonly KeyRun[];
}

/** `tables`, at least one, put together. @throws SpiralError `type_mismatch` for tables with other key schemas. */
export function joinTables(tables: readonly VersionedTable[]): JoinedTables {
  const [first, ...others] = tables as readonly [VersionedTable, ...VersionedTable[]];
  for (const other of others) checkKeys(first, other);
  const { keys } = first.version;
  const joined: JoinedTable[] = [];
  const columns: Column[] = [...keys];
  const fragments: (readonly Fragment[])[] = [];
  let nextColumnId = 0;
  for (const { name, version } of tables) {
    const firstColumn = nextColumnId;
    const numberOf = (id: number): number => (id < keys.length ? id : firstColumn + id);
    const own = firstColumn === 0 ? version.columns : version.columns.map((one) => ({ ...one, id: numberOf(one.id) }));
    const { tableId: id, version: number } = version;
    joined.push({ id, name, version: number, fields: columnTree(own), firstColumn });
    columns.push(...own.filter((column) => column.id >= keys.length));
    fragments.push(firstColumn === 0 ? version.fragments : version.fragments.map((one) => renumbered(one, numberOf)));
    nextColumnId += version.nextColumnId;
  }
  const runs = others.length === 0 ? keyRuns(first.version.fragments) : joinedRuns(fragments);
  return { tables: joined, keys, columns, nextColumnId, runs };
}

function renumbered(fragment: Fragment, numberOf: (id: number) => number): Fragment {
  return { ...fragment, files: fragment.files.map((file) => ({ ...file, columns: file.columns.map(numberOf) })) };
}

function checkKeys(first: VersionedTable, other: VersionedTable): void {
  const [expected, found] = [first.version.keys, other.version.keys];
  if (expected.length === found.length && expected.every(({ type }, at) => sameType(type, found[at]!.type))) return;
  const [own, theirs] = [expected, found].map((keys) =>
    keys.map(({ path, type }) => `${pathText(path)} ${typeWords(type)}`).join(', '),
  );
  throw new SpiralError(
    'type_mismatch',
    `Expected tables with the same key schema to be read together, as their rows are joined by key, but the key of ` +
      `${first.name} is (${own}) and that of ${other.name} is (${theirs}). Scan them apart, or write one of them to a table ` +
      'with the key of the other.',
    { details: { tables: [first.name, other.name], expected: own, found: theirs } },
  );
}
