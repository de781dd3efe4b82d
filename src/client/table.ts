import type { Schema } from 'apache-arrow';
import { knownOptions, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { vacuumGraceMs, vacuumRetainMs } from '../core/limits.js';
import { Expr, type ExprLike } from '../expr/expr.js';
import type { ExprNode } from '../expr/node.js';
import { versionRows } from '../scan/version-rows.js';
import { SpiralStream } from '../streaming/table/spiral-stream.js';
import { columnTree, treeSchema } from '../table/column.js';
import { type CompactResult, compactTable } from '../table/compact.js';
import { type CommitSummary, tableHistory } from '../table/history.js';
import { inspectTable, type TableFacts } from '../table/inspect.js';
import type { TableStore } from '../table/table-store.js';
import { listTags, tagVersion, untag } from '../table/tags.js';
import type { Tag } from '../table/upkeep-change.js';
import { type VacuumResult, vacuumTable } from '../table/vacuum.js';
import type { WriteSettings } from '../table/write.js';
import { type AsOf, asOfMicros } from './as-of.js';
import { type CatalogTable, identifierOf } from './catalog.js';
import { KeySpaceIndex } from './key-space-index.js';
import { namePattern } from './project-record.js';
import type { Scan } from './scan.js';
import { Snapshot } from './snapshot.js';
import { Transaction } from './transaction.js';
import type { Writable } from './written-rows.js';

/** What a stream of a table gives, and where it keeps it. */
export interface TableStreamOptions {
  readonly projection?: ExprLike;
  readonly cacheDir?: string;
  readonly shardRowBlockSize?: number;
}

/**
 * A table: sorted rows under a unique key, in columns that may be added at any time. As an expression it is the struct of
 * its columns, keys included, so `spiral.scan(table)` reads all of it.
 */
export class Table extends Expr {
  readonly id: string;
  readonly project: string | null;
  readonly dataset: string | null;
  readonly name: string | null;
  readonly keySchema: Schema;
  readonly #store: TableStore;
  readonly #scan: (projection: ExprNode) => Promise<Scan>;

  /** Made by `Project.table` and `Spiral.table`. */
  constructor(
    store: TableStore,
    id: string,
    keySchema: Schema,
    project: string | null,
    named: CatalogTable | null,
    scan: (projection: ExprNode) => Promise<Scan>,
  ) {
    super({ kind: 'table', table: id });
    this.#store = store;
    this.#scan = scan;
    this.id = id;
    this.keySchema = keySchema;
    this.project = project;
    this.dataset = named?.dataset ?? null;
    this.name = named?.table ?? null;
  }

  /** `dataset.table`, or the id where the table has no name. */
  get identifier(): string {
    return this.dataset === null || this.name === null
      ? this.id
      : identifierOf({ dataset: this.dataset, table: this.name });
  }

  /** The schema of all columns now, keys first, structs for nested columns. */
  async schema(): Promise<Schema> {
    return treeSchema(columnTree((await this.#store.latest()).columns));
  }

  /** A column, by its dotted path. */
  col(path: string): Expr {
    return this.getitem(path);
  }

  /**
   * Writes rows: new keys are added, cells of keys that are there replaced, columns that are not written kept. One
   * transaction: when the promise resolves all of it is durable, when it rejects none of it is there. No rows, no commit.
   *
   * Rows come in any order and any number, and their keys may lie anywhere among those that are there: an Arrow table or
   * batch, an array of objects, an object of columns, or a stream (any iterable, async ones too) of these or of single rows,
   * of which no more than `memoryBytesMax` is held; a scan; an expression that gives a struct. A row without a key that
   * other rows of its array have gets null there; single rows of a stream leave alone what they leave out.
   *
   * Plain values take the table's types, or for new columns `float64` for numbers, `int64` for bigints, `utf8`, `bool`,
   * `timestamp[us, UTC]` for dates, `binary` for bytes, lists and structs; Arrow data and typed arrays keep theirs.
   *
   * @throws SpiralError `invalid_key`, `duplicate_key`, `type_mismatch`, `invalid_rows`, `value_out_of_range`,
   * `unsupported_type`, `write_conflict`, `cancelled`: nothing was written; `unavailable`, where
   * `details.outcome` is 'unknown' only if the store does not tell whether the commit is there.
   */
  async write(data: Writable, options: WriteSettings = {}): Promise<void> {
    await this.transaction((txn) => txn.write(data, options));
  }

  /**
   * Deletes rows by their keys: rows, columns or Arrow data of the key columns alone, in any of the forms that `write` takes.
   * All cells of these keys that were written before are gone from later versions; a key that is written again has what is
   * then written, and nothing else. Keys that are not there are passed over. Earlier versions keep their rows. Any
   * number of keys is taken in bounded memory: sorted ones are read fastest afterwards.
   *
   * @throws SpiralError `invalid_rows` for a column that is no key column, and as `write`: nothing was deleted.
   */
  async deleteKeys(keys: Writable, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.transaction((txn) => txn.deleteKeys(keys, options));
  }

  /**
   * Drops columns, by dotted path; their cells are gone from later versions, also when a column of that name comes again.
   *
   * @throws SpiralError `unknown_column` if any is not there, `invalid_argument` for a key column or a struct,
   * `write_conflict` where another writer drops or writes one of them meanwhile.
   */
  async dropColumns(columnPaths: readonly string[]): Promise<void> {
    await this.transaction((txn) => txn.dropColumns(columnPaths));
  }

  /** Begins a transaction. It touches nothing before it is used, and is visible to nobody before it is committed. */
  txn(): Transaction {
    return new Transaction({
      id: this.id,
      identifier: this.identifier,
      keySchema: this.keySchema,
      store: this.#store,
      scan: this.#scan,
      compact: () => this.compact(),
    });
  }

  /**
   * Runs `body` with a transaction that is committed when `body` returns and aborted when it throws; gives what `body`
   * gave. A body may also commit, abort or take its transaction itself.
   *
   * @throws what `body` throws, and SpiralErrors as `Transaction.commit`.
   */
  async transaction<T>(body: (txn: Transaction) => Promise<T>): Promise<T> {
    if (typeof body !== 'function') {
      throw new SpiralError(
        'invalid_argument',
        `Expected \`transaction\` to be given a function of a transaction, got ${shown(body)}. txn() begins one without.`,
      );
    }
    const txn = this.txn();
    try {
      const result = await body(txn);
      if (txn.status === 'open') await txn.commit();
      return result;
    } catch (error) {
      if (txn.status === 'open') await txn.abort();
      throw error;
    }
  }

  /** The table as it was at `asof`, or as it is when the snapshot is first used. */
  snapshot(asof?: AsOf): Snapshot {
    return new Snapshot(this, this.#store, asof === undefined ? undefined : asOfMicros(asof));
  }

  /**
   * The commits, oldest first, as far as vacuum has left them: version, time, author (the setting `commit.author`), and
   * for each operation its columns, rows and bytes. Reads one small file a commit.
   *
   * @param options `last`: only so many of the newest. Default: all.
   */
  async history(options: { readonly last?: number } = {}): Promise<CommitSummary[]> {
    knownOptions('history', options, ['last']);
    const last = options.last ?? Number.MAX_SAFE_INTEGER;
    return tableHistory(this.#store, wholeNumber('last', last, { min: 1, unit: 'commits' }));
  }

  /**
   * Names the version at `asof`, or the newest, and keeps it from vacuum until the tag is taken away. Makes no version, and
   * does nothing where the tag names that version already. Read it with `{ asof: tag.time }`.
   *
   * @throws SpiralError `already_exists` where the tag names another version; `version_not_found`, `version_vacuumed`;
   * `invalid_identifier` for a name of other than letters, digits, '_' and '-'.
   */
  async tag(name: string, asof?: AsOf): Promise<Tag> {
    checkTagName(name);
    const time = asof === undefined ? undefined : asOfMicros(asof);
    return tagVersion(this.#store, name, await (time === undefined ? this.#store.latest() : this.#store.asof(time)));
  }

  /** Takes a tag away; its version lasts until the next vacuum that it is too old for. @throws SpiralError `version_not_found`. */
  async untag(name: string): Promise<void> {
    checkTagName(name);
    await untag(this.#store, name);
  }

  /** Every tag, by version. */
  tags(): Promise<Tag[]> {
    return listTags(this.#store);
  }

  /**
   * Rewrites files so that reading needs fewer: small neighbours are joined to 128 MiB, writes that overlap are merged, and
   * of columns written again and again each group becomes one file. Changes no row at any version. Does nothing where
   * nothing is to be gained.
   *
   * Safe beside readers and writers. The files it replaces stay for older versions, until vacuum.
   *
   * @throws SpiralError `write_conflict` where another compaction was first at some of the files: nothing is lost.
   */
  compact(): Promise<CompactResult> {
    return compactTable(this.#store, { rows: (version) => versionRows(this.#store, version) });
  }

  /**
   * Deletes what no kept version needs. Kept are the newest version, every one that was the newest at some time in the
   * last `retainMs` (default seven days), and those with a tag; the others fail with `version_vacuumed` from then on.
   *
   * Files younger than `graceMs` (default a day) stay, as a write under way may be about to commit them. Take less only
   * where nobody writes to the table.
   */
  async vacuum(options: { readonly retainMs?: number; readonly graceMs?: number } = {}): Promise<VacuumResult> {
    knownOptions('vacuum', options, ['retainMs', 'graceMs']);
    return vacuumTable(this.#store, {
      retainMs: wholeNumber('retainMs', options.retainMs ?? vacuumRetainMs, { unit: 'milliseconds' }),
      graceMs: wholeNumber('graceMs', options.graceMs ?? vacuumGraceMs, { unit: 'milliseconds' }),
    });
  }

  /** What the table is made of: versions, columns, fragments, files, tags, as plain data. Lists the table's folders. */
  inspect(): Promise<TableFacts> {
    return inspectTable(this.#store);
  }

  /**
   * The rows of `index`, a synced key-space index of this table, as samples by their places, at the version it was synced
   * at: a stream for a `StreamingDataset`, or by itself. Each of the index's ranges is a shard, which is kept as one file
   * in a folder of this machine once it was needed.
   *
   * @param options `projection`: other columns than those of the index. `cacheDir`: the folder, which may be shared and used
   * again; default: one for temporary files, deleted by `close()`. `shardRowBlockSize`: rows that are read at once, default
   * 8192; lower for larger rows.
   * @throws SpiralError `index_not_synced`; `invalid_argument` for the index of another table; `version_vacuumed`;
   * `invalid_size`; `unsupported_type` for dictionaries within nested columns; and as `Spiral.scan` for the projection.
   */
  async toStreaming(index: KeySpaceIndex, options: TableStreamOptions = {}): Promise<SpiralStream> {
    knownOptions('toStreaming', options, ['projection', 'cacheDir', 'shardRowBlockSize']);
    if (!(index instanceof KeySpaceIndex) || index.tableId !== this.id) {
      const found = index instanceof KeySpaceIndex ? `one of the table ${index.tableId}` : shown(index);
      throw new SpiralError(
        'invalid_argument',
        `Expected a key-space index of ${this.identifier}, got ${found}. Make one with \`project.createKeySpaceIndex(name, granularity, ` +
          'table)`.',
        { details: { table: this.id, found } },
      );
    }
    const { projection, cacheDir, shardRowBlockSize } = options;
    const shards = await index.shards();
    return SpiralStream.open(await index.scan(projection), shards, { cacheDir, shardRowBlockSize });
  }

  override toString(): string {
    return this.identifier;
  }
}

function checkTagName(name: string): void {
  if (typeof name === 'string' && namePattern.test(name)) return;
  throw new SpiralError(
    'invalid_identifier',
    `Expected the name of a tag, of letters, digits, '_' and '-', got ${shown(name)}.`,
    { details: { tag: name } },
  );
}
