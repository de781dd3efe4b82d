import { SpiralError } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from './log.js';
import type { Commit, CreateOperation, Operation } from './operation.js';
import { parseCommit } from './parse-commit.js';
import { rebase, replay, type TableVersion } from './version.js';

/** Where the log of a table is, below the table's root. */
const logFolder = 'log';

/** A table as files in a store: its log, and the versions that follow from it. One for all readers in a process. */
export class TableStore {
  readonly store: ObjectStore;
  /** The table as it stands in messages: its id, until somebody opens it by name. */
  name: string;
  readonly #log: Log<Commit>;
  #newest: TableVersion | undefined;

  constructor(store: ObjectStore, name: string) {
    this.store = store;
    this.name = name;
    this.#log = new Log(store, logFolder, parseCommit);
  }

  /** Makes the first version of a table; false where there is one. */
  static async create(store: ObjectStore, operation: CreateOperation): Promise<boolean> {
    const commit: Commit = { transaction: uniqueId('txn_'), time: wallMicros(), operations: [operation] };
    const version = await new Log(store, logFolder, parseCommit).commit(
      (entry) => entry.transaction === commit.transaction,
      (entries) => (entries.length === 0 ? commit : undefined),
    );
    return version !== undefined;
  }

  /**
   * The newest version.
   *
   * @throws SpiralError `unknown_table` when the log has no entry; `corrupt_log`, `path_outside_root`.
   */
  async latest(): Promise<TableVersion> {
    return this.#version(await this.#log.entries());
  }

  /** Version number `version`. @throws SpiralError `version_not_found`. */
  async at(version: number): Promise<TableVersion> {
    return this.#version(await this.#log.entriesUpTo(version));
  }

  /**
   * The last version committed at or before `time`, microseconds since the epoch.
   *
   * @throws SpiralError `version_not_found` when the table was made later.
   */
  async asof(time: number): Promise<TableVersion> {
    const commits = await this.#log.entries();
    let count = commits.length;
    while (count > 0 && commits[count - 1]!.time > time) count--;
    if (count === 0 && commits.length > 0) {
      throw new SpiralError(
        'version_not_found',
        `Expected a time at or after ${commits[0]!.time}, when ${this.name} was made, got ${time} (microseconds since ` +
          'the epoch).',
        { details: { table: this.name, asof: time, created: commits[0]!.time } },
      );
    }
    return this.#version(commits.slice(0, count));
  }

  /**
   * Commits `operations` on top of whatever version there is by then, and gives the version that made (laws 16 to 18).
   *
   * @throws SpiralError `write_conflict`; `unavailable` when other writers won every time, or, with
   * `details.outcome` 'unknown', when the store failed and does not tell whether the commit is there.
   */
  async commit(operations: readonly Operation[]): Promise<TableVersion> {
    const transaction = uniqueId('txn_');
    const version = await this.#log.commit(
      (entry) => entry.transaction === transaction,
      (entries) => {
        const base = this.#version(entries);
        const time = Math.max(wallMicros(), base.time + 1);
        return { transaction, time, operations: rebase(operations, base, this.name) };
      },
    );
    return this.at(version!);
  }

  #version(commits: readonly Commit[]): TableVersion {
    if (commits.length === 0) {
      throw new SpiralError('unknown_table', `Expected a table at ${this.store.uri}, found none.`, {
        details: { table: this.name, root: this.store.uri },
      });
    }
    const newest = this.#newest;
    if (newest?.version === commits.length) return newest;
    const version = replay(commits, `the log of ${this.name}`, newest);
    if (newest === undefined || newest.version < version.version) this.#newest = version;
    return version;
  }
}
