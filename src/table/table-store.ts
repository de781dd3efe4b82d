import { SpiralError } from '../core/errors.js';
import { deriveSeed, uniqueId } from '../core/random.js';
import { sleep, wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from './log.js';
import type { Commit, CreateOperation, Operation } from './operation.js';
import { rebase, replay, type TableVersion } from './version.js';

/** Where the log of a table is, below the table's root. */
const logFolder = 'log';
/** Tries at a commit before it gives up: with full jitter 64 writers need some twenty. */
const commitTriesMax = 1000;
const backoffMsMax = 50;

/** A table as files in a store: its log, and the versions that follow from it. One for all readers in a process. */
export class TableStore {
  readonly store: ObjectStore;
  /** The table as it stands in messages. */
  readonly name: string;
  readonly #log: Log<Commit>;
  #latest: TableVersion | undefined;

  constructor(store: ObjectStore, name: string) {
    this.store = store;
    this.name = name;
    this.#log = new Log(store, logFolder);
  }

  /** Makes the first version of a table; false where there is one. */
  static async create(store: ObjectStore, operation: CreateOperation): Promise<boolean> {
    const commit: Commit = { transaction: uniqueId('txn_'), time: wallMicros(), operations: [operation] };
    return new Log<Commit>(store, logFolder).append(1, commit);
  }

  /**
   * The newest version.
   *
   * @throws SpiralError `unknown_table` when the log has no entry.
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
   * @throws SpiralError `write_conflict`; `unavailable` when other writers won every time.
   */
  async commit(operations: readonly Operation[]): Promise<TableVersion> {
    const transaction = uniqueId('txn_');
    for (let tries = 0; tries < commitTriesMax; tries++) {
      const base = await this.latest();
      const own = (await this.#log.entries()).findIndex((entry) => entry.transaction === transaction);
      if (own >= 0) return this.at(own + 1);
      const entry: Commit = {
        transaction,
        time: Math.max(wallMicros(), base.time + 1),
        operations: rebase(operations, base, this.name),
      };
      if (await this.#log.append(base.version + 1, entry)) return this.at(base.version + 1);
      const share = deriveSeed('backoff', transaction, tries) / 2 ** 32;
      await sleep(share * Math.min(backoffMsMax, 2 ** Math.min(tries, 10)));
    }
    throw new SpiralError(
      'unavailable',
      `Expected to commit to ${this.name} within ${commitTriesMax} tries, but other writers won every one. Try again.`,
      { details: { table: this.name, tries: commitTriesMax } },
    );
  }

  #version(commits: readonly Commit[]): TableVersion {
    if (commits.length === 0) {
      throw new SpiralError('unknown_table', `Expected a table at ${this.store.uri}, found none.`, {
        details: { table: this.name, root: this.store.uri },
      });
    }
    if (this.#latest?.version !== commits.length) this.#latest = replay(commits, `the log of ${this.name}`);
    return this.#latest;
  }
}
