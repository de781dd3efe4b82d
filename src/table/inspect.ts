import { typeWords } from '../arrow/words.js';
import { pathText } from './column.js';
import { compareKeys } from './key-compare.js';
import { keyText } from './key-values.js';
import type { TableStore } from './table-store.js';
import { listTags } from './tags.js';
import type { Tag } from './upkeep-change.js';
import { versionFiles } from './version.js';

/** A fragment, as people read it. */
export interface FragmentFacts {
  /** The version that wrote its cells, and the one whose commit, a compaction perhaps, made its files. */
  readonly version: number;
  readonly commit: number;
  /** Whether its keys are deleted, instead of rows stored. */
  readonly deletes: boolean;
  readonly rows: number;
  readonly bytes: number;
  readonly keyMin: string;
  readonly keyMax: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly columns: readonly string[] }[];
}

/** What a table is made of: plain data, for printing. */
export interface TableFacts {
  readonly tableId: string;
  readonly name: string;
  readonly uri: string;
  readonly version: number;
  /** When the table was made, and its newest version: microseconds since the epoch. */
  readonly created: number;
  readonly time: number;
  /** The first version that is kept whether it has a tag or not. */
  readonly floor: number;
  readonly tags: readonly Tag[];
  readonly columns: readonly {
    readonly path: string;
    readonly type: string;
    readonly id: number;
    readonly key: boolean;
  }[];
  /** In the order of their first keys. */
  readonly fragments: readonly FragmentFacts[];
  /** Of the newest version. */
  readonly rowsStored: number;
  readonly bytes: number;
  /** All data files there are, and of these the ones that the newest version does not read. */
  readonly dataFiles: { readonly count: number; readonly bytes: number };
  readonly otherFiles: { readonly count: number; readonly bytes: number };
  readonly logEntries: number;
  readonly checkpoints: readonly { readonly version: number; readonly bytes: number }[];
}

/** Looks through all of a table but its rows; lists its folders. */
export async function inspectTable(table: TableStore): Promise<TableFacts> {
  const version = await table.latest();
  const { floor } = await table.upkeep.now();
  const columns = new Map(version.columns.map((column) => [column.id, column]));
  const keyTypes = version.keys.map(({ type }) => type);
  const sorted = [...version.fragments].sort((a, b) => compareKeys(a.keyMin, b.keyMin));
  const fragments = sorted.map((fragment): FragmentFacts => {
    const files = fragment.files.map(({ path, bytes, columns: ids }) => {
      const names = ids.map((id) => columns.get(id)).filter((column) => column !== undefined);
      return { path, bytes, columns: names.map((column) => pathText(column.path)) };
    });
    return {
      version: fragment.version,
      commit: fragment.commit,
      deletes: fragment.deletes,
      rows: fragment.rows,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      keyMin: keyText(fragment.keyMin, keyTypes),
      keyMax: keyText(fragment.keyMax, keyTypes),
      files,
    };
  });
  const read = new Set(Array.from(versionFiles(version), ({ path }) => path));
  const dataFiles = { count: 0, bytes: 0 };
  const otherFiles = { count: 0, bytes: 0 };
  for await (const { path, size } of table.store.list('data/')) {
    for (const total of read.has(path) ? [dataFiles] : [dataFiles, otherFiles]) {
      total.count++;
      total.bytes += size;
    }
  }
  let logEntries = 0;
  for await (const { path } of table.store.list(`${table.log.folder}/`)) if (/\d{20}$/.test(path)) logEntries++;
  const checkpoints: { version: number; bytes: number }[] = [];
  for await (const file of table.checkpoints.files()) checkpoints.push({ version: file.version, bytes: file.size });
  return {
    tableId: version.tableId,
    name: table.name,
    uri: table.store.uri,
    version: version.version,
    created: version.created,
    time: version.time,
    floor: Math.max(1, floor),
    tags: await listTags(table),
    columns: version.columns.map(({ id, path, type }) => ({
      path: pathText(path),
      type: typeWords(type),
      id,
      key: id < version.keys.length,
    })),
    fragments,
    rowsStored: fragments.reduce((sum, { deletes, rows }) => sum + (deletes ? 0 : rows), 0),
    bytes: fragments.reduce((sum, { bytes }) => sum + bytes, 0),
    dataFiles,
    otherFiles,
    logEntries,
    checkpoints: checkpoints.sort((a, b) => a.version - b.version),
  };
}
