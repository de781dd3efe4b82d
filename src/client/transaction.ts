import type { Schema } from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { checkSignal } from '../core/abort.js';
import { knownOptions, optionsObject, signalOption } from '../core/check.js';
import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import type { ExprNode } from '../expr/node.js';
import type { Shard } from '../sharding/shard.js';
import { deleteRows } from '../table/deletion.js';
import { dropOperation } from '../table/drop.js';
import { checkFiles, checkTogether, checkUncommitted, filesOf } from '../table/include.js';
import type { Operation } from '../table/operation.js';
import { type OperationJson, operationJson, parseOperationJson } from '../table/operation-json.js';
import type { TableStore } from '../table/table-store.js';
import { putDump, readDump } from '../table/transaction-dump.js';
import { type TableVersion, withOperations } from '../table/version.js';
import { type WriteSettings, writeRows } from '../table/write.js';
import { Scan } from './scan.js';
import { type Writable, writtenRows } from './written-rows.js';

/** The table that a transaction is of. */
export interface TransactionTable {
  readonly id: string;
  readonly identifier: string;
  readonly keySchema: Schema;
  readonly store: TableStore;
  scan(projection: ExprNode): Promise<Scan>;
  /** Rewrites small and overlapping fragments. */
  compact(): Promise<unknown>;
}

/** How a transaction is committed. */
export interface CommitOptions {
  /** A path or URI: the transaction's operations are written to this file first, for `Transaction.loadDumps`. */
  readonly txnDump?: string;
  /** Compacts the table once the transaction is in it. Default false. */
  readonly compact?: boolean;
}

/**
 * Writes that become part of a table together, or not at all. Rows are stored as they are written; `commit` makes them
 * visible in one step. What follows in a transaction wins over what came before, cell by cell.
 *
 * Calls run one after the other, in the order in which they were made. The first one fixes the version that columns are
 * looked up in; rows that others write meanwhile are no conflict.
 */
export class Transaction implements AsyncDisposable {
  readonly #table: TransactionTable;
  readonly #name = uniqueId('txn_');
  readonly #abort = new AbortController();
  readonly #operations: Operation[] = [];
  /** Files of included operations, which are another transaction's until this one is committed. */
  readonly #included = new Map<string, number>();
  #status: 'open' | 'committed' | 'aborted' | 'taken' = 'open';
  #ending = false;
  #base: Promise<TableVersion> | undefined;
  /** The oldest version that an operation was made against. */
  #since: number | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #running = new Set<Promise<unknown>>();
  #isUnknown = false;
  #compacts = false;

  /** Made by `Table.txn` and `Table.transaction`. */
  constructor(table: TransactionTable) {
    this.#table = table;
  }

  /** 'open' until it ends; a commit that fails leaves it open, to be tried again or aborted. */
  get status(): 'open' | 'committed' | 'aborted' | 'taken' {
    return this.#status;
  }

  /** Whether there is nothing to commit yet. */
  isEmpty(): boolean {
    return this.#operations.length === 0;
  }

  /**
   * Writes rows, see `Table.write`. A key that was written before in this transaction may come again: the later cells
   * win. A write that fails leaves the transaction as it was before.
   *
   * @throws SpiralError as `Table.write`, `write_conflict` apart; `closed` for a transaction that has ended.
   */
  write(data: Writable, options: WriteSettings = {}): Promise<void> {
    return this.#run(async (version) => {
      const signal = this.#signal(signalOption('write', optionsObject('write', options).signal));
      const { store, writeSettings } = this.#table.store;
      const rows = await writtenRows(data, (projection) => this.#table.scan(projection), signal);
      return writeRows(store, version, this.#table.identifier, rows, { ...writeSettings, ...options, signal });
    });
  }

  /**
   * Writes the rows of a scan, with the keys they were read under, whether the scan gives these or not. The scan may be of
   * another table with the same key columns.
   *
   * @param options.shards only these shards: for a distributed job, in which each worker writes back its own, takes the
   * operations (`take`), and one includes and commits them all. Default: all.
   * @throws SpiralError `type_mismatch` for a scan with other key columns; `invalid_shards`; as `write`.
   */
  writeback(scan: Scan, options: { shards?: readonly Shard[] } & WriteSettings = {}): Promise<void> {
    return this.#run(async (version) => {
      const { shards, ...settings } = optionsObject('writeback', options);
      checkScan(scan, this.#table);
      const signal = this.#signal(signalOption('writeback', settings.signal));
      const keyed = await scan.withKeys();
      const rows = keyed.toRecordBatches({ signal, ...(shards && { shards }) });
      const { store, writeSettings } = this.#table.store;
      return writeRows(store, version, this.#table.identifier, rows, { ...writeSettings, ...settings, signal });
    });
  }

  /**
   * Deletes rows by their keys, see `Table.deleteKeys`: those that this transaction has written before included.
   *
   * @throws SpiralError as `Table.deleteKeys`, `write_conflict` apart; `closed`.
   */
  deleteKeys(keys: Writable, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#run(async (version) => {
      knownOptions('deleteKeys', options, ['signal']);
      const signal = this.#signal(options.signal);
      const { store } = this.#table.store;
      const rows = await writtenRows(keys, (projection) => this.#table.scan(projection), signal);
      return deleteRows(store, version, this.#table.identifier, rows, signal);
    });
  }

  /**
   * Drops columns, by dotted path, those that this transaction has written included.
   *
   * @throws SpiralError `unknown_column` if any is not there, `invalid_argument` for a key column or a struct; `closed`.
   */
  dropColumns(columnPaths: readonly string[]): Promise<void> {
    return this.#run(async (version) => dropOperation(version, this.#table.identifier, columnPaths));
  }

  /**
   * Has the table compacted once this transaction is committed, as `commit({ compact: true })` does: keys are stored with
   * the columns beside them here, and have no files of their own that could be compacted alone.
   *
   * @throws SpiralError `closed`.
   */
  compactKeySpace(): void {
    this.#checkOpen();
    this.#compacts = true;
  }

  /**
   * The operations as JSON, for `include` in another transaction of this table, on any machine. This one has then ended:
   * it can be neither committed nor aborted, and nobody but who includes the operations knows of their files.
   *
   * @throws SpiralError `closed`, and what a call that is not awaited yet fails with.
   */
  async take(): Promise<OperationJson[]> {
    await this.#end();
    this.#status = 'taken';
    return this.#json();
  }

  /**
   * Adds operations that `take` or `loadDumps` gave, behind those there are. Whether they fit what others have committed
   * since they were made is found when this transaction is committed.
   *
   * @throws SpiralError `invalid_argument` for what are no operations of this table; `write_conflict` where they and those
   * there are cannot both hold; `already_exists` for operations that are in this transaction; `closed`.
   */
  include(operations: readonly OperationJson[]): void {
    this.#checkOpen();
    if (!Array.isArray(operations)) {
      throw new SpiralError('invalid_argument', `Expected an array of operations, got ${shown(operations)}.`);
    }
    const taken = operations.map(parseOperationJson);
    const stranger = taken.find(({ table }) => table !== this.#table.id);
    if (stranger !== undefined) {
      throw new SpiralError(
        'invalid_argument',
        `Expected operations of ${this.#table.identifier} (${this.#table.id}), got some of ${stranger.table}. Include ` +
          'them in a transaction of that table.',
        { details: { table: this.#table.id, found: stranger.table } },
      );
    }
    const theirs = taken.map(({ operation }) => operation);
    checkTogether(this.#operations, theirs, this.#table.identifier);
    for (const [path, bytes] of filesOf(theirs)) this.#included.set(path, bytes);
    this.#operations.push(...theirs);
    for (const { base } of taken) this.#since = Math.min(base, this.#since ?? base);
  }

  /**
   * Makes everything visible as one version, durable when the promise resolves; a transaction without operations makes
   * none. Calls that are not awaited yet are part of it. Trying again after a failure is safe, whatever became of it: the
   * transaction is in the table once.
   *
   * A compaction that was asked for comes after that: when it fails the status is 'committed' nonetheless, and one that
   * another was first to do is no failure.
   *
   * @throws SpiralError `write_conflict`, naming both sides: a column that both this transaction and another one added, with
   * two types, or of which one was dropped by either; `unavailable`, where `details.outcome` is 'unknown' only if the store does not tell whether the commit is there; `already_exists` and `not_found` for included
   * operations that are committed already or whose files are gone; `closed`.
   */
  async commit(options: CommitOptions = {}): Promise<void> {
    knownOptions('commit', options, ['txnDump', 'compact']);
    await this.#end();
    try {
      if (options.txnDump !== undefined) await putDump(options.txnDump, this.#name, this.#json());
      if (this.#operations.length > 0) await this.#commit();
      this.#status = 'committed';
    } catch (error) {
      this.#isUnknown = isSpiralError(error, 'unavailable') && error.details['outcome'] === 'unknown';
      this.#ending = false;
      throw error;
    }
    if (options.compact === true || this.#compacts) await this.#compact();
  }

  /**
   * Ends the transaction without a trace: writes under way are cancelled, and what was stored is deleted as far as the
   * store lets it; vacuum removes the rest. Files of included operations stay. Does nothing once it is aborted.
   *
   * @throws SpiralError `closed` for a transaction that was committed or taken.
   */
  async abort(): Promise<void> {
    if (this.#status === 'aborted') return;
    if (this.#status !== 'open') this.#checkOpen();
    this.#status = 'aborted';
    this.#abort.abort(new SpiralError('cancelled', 'The transaction was aborted.'));
    await Promise.allSettled(this.#running);
    // A commit of which nobody knows may be in the table, and its files with it.
    if (this.#isUnknown) return;
    for (const path of filesOf(this.#operations).keys()) {
      if (!this.#included.has(path)) await this.#table.store.store.delete(path).catch(() => {});
    }
  }

  /** Aborts what was neither committed nor taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status === 'open') await this.abort();
  }

  /**
   * The operations in the files that `commit({ txnDump })` wrote, in their order, for `include`.
   *
   * @throws SpiralError `not_found`, `corrupt_log` for a file that is no dump, `state_version`, `invalid_argument` for what is
   * no path or URI.
   */
  static async loadDumps(...txnDumps: readonly string[]): Promise<OperationJson[]> {
    for (const uri of txnDumps as readonly unknown[]) {
      if (typeof uri === 'string' && uri !== '') continue;
      throw new SpiralError('invalid_argument', `Expected paths or URIs of transaction dumps, got ${shown(uri)}.`);
    }
    const operations: OperationJson[] = [];
    for (const uri of txnDumps) operations.push(...(await readDump(uri)));
    return operations;
  }

  async #commit(): Promise<void> {
    const { store, identifier } = this.#table;
    await checkFiles(store.store, this.#included, identifier);
    const files = new Set(this.#included.keys());
    await store.commit(this.#operations, {
      transaction: this.#name,
      ...(this.#since !== undefined && { base: this.#since }),
      ...(files.size > 0 && { check: (since, newest) => checkUncommitted(files, since, newest, identifier) }),
    });
  }

  async #compact(): Promise<void> {
    try {
      await this.#table.compact();
    } catch (error) {
      if (!isSpiralError(error, 'write_conflict')) throw error;
    }
  }

  /** Runs `work` behind the calls before it, on the version that they lead to, and keeps the operation that it gives. */
  #run(work: (version: TableVersion) => Promise<Operation | undefined>): Promise<void> {
    try {
      this.#checkOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    const done = this.#queue.then(async () => {
      checkSignal(this.#abort.signal, 'The transaction');
      this.#base ??= this.#table.store.latest();
      this.#base.catch(() => {
        this.#base = undefined;
      });
      const base = await this.#base;
      this.#since = Math.min(base.version, this.#since ?? base.version);
      const operation = await work(withOperations(base, this.#operations));
      if (operation !== undefined) this.#operations.push(operation);
    });
    this.#running.add(done);
    this.#queue = done.catch(() => {}).finally(() => this.#running.delete(done));
    return done;
  }

  /** Takes no more calls, and waits for those that are made. */
  async #end(): Promise<void> {
    this.#checkOpen();
    this.#ending = true;
    try {
      await Promise.all(this.#running);
    } catch (error) {
      this.#ending = false;
      throw error;
    }
  }

  #json(): OperationJson[] {
    const base = this.#since ?? 1;
    return this.#operations.map((operation) => operationJson({ table: this.#table.id, base, operation }));
  }

  #signal(given: AbortSignal | undefined): AbortSignal {
    return given === undefined ? this.#abort.signal : AbortSignal.any([this.#abort.signal, given]);
  }

  #checkOpen(): void {
    if (this.#status === 'open' && !this.#ending) return;
    const what = this.#status === 'open' ? 'is being committed or taken' : `was ${this.#status}`;
    throw new SpiralError('closed', `The transaction on ${this.#table.identifier} ${what}. Begin another with txn().`, {
      details: { table: this.#table.identifier, status: this.#status },
    });
  }
}

/** @throws SpiralError `invalid_argument` for what is no scan, `type_mismatch` for one with other keys. */
function checkScan(scan: unknown, table: TransactionTable): asserts scan is Scan {
  if (!(scan instanceof Scan)) {
    throw new SpiralError('invalid_argument', `Expected a scan to write back, got ${shown(scan)}. Rows go to write().`);
  }
  const [own, found] = [table.keySchema.fields, scan.keySchema.fields];
  const same =
    own.length === found.length &&
    own.every((field, at) => field.name === found[at]!.name && sameType(field.type, found[at]!.type));
  if (same) return;
  const [expected, given] = [own, found].map((fields) => fields.map(({ name, type }) => `${name} ${type}`).join(', '));
  throw new SpiralError(
    'type_mismatch',
    `Expected a scan of a table with the key (${expected}) of ${table.identifier}, got one with (${given}). Write its rows ` +
      'with write(), under a key that fits.',
    { details: { table: table.identifier, expected, found: given } },
  );
}
