import { isSpiralError, SpiralError } from '../core/errors.js';
import { commitsHeld } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { CheckpointFiles } from './checkpoint-files.js';
import { Log, type LogCut, type LogTail } from './log.js';
import type { Commit, CreateOperation, Operation } from './operation.js';
import { parseCommit } from './parse-commit.js';
import { PastVersions } from './past-versions.js';
import type { Upkeep } from './upkeep-change.js';
import { isKept, UpkeepLog } from './upkeep-log.js';
import { type CommitsSince, rebase, replay, type TableVersion } from './version.js';

/** Where the log of a table is, below the table's root. */
const logFolder = 'log';

/** Where the operations of a commit come from. */
export interface CommitOrigin {
  /** The name of the transaction. Default: a new one. */
  readonly transaction?: string;
  /** The version that the operations were made against. Default: the newest. */
  readonly base?: number;
  /**
   * Looks at the commits since then, as far as they are there, and the newest version, at every try, and before that at the
   * versions that vacuum kept of those since; what it throws ends the commit.
   */
  readonly check?: (since: CommitsSince, version: TableVersion) => void;
}

/** How a table is written to. */
export interface TableStoreOptions {
  /** Whose commits these are, in the table's history. Default: nobody's. */
  readonly author?: string | undefined;
  /** Bytes that a write may hold, where its own settings say nothing. Default 256 MiB. */
  readonly writeMemoryBytesMax?: number | undefined;
  /** Commits between two checkpoints. Default 128. */
  readonly checkpointEvery?: number | undefined;
}

/** A table as files in a store: its log, and the versions that follow from it. One for all readers in a process. */
export class TableStore {
  readonly store: ObjectStore;
  /** The table as it stands in messages: its id, until somebody opens it by name. */
  name: string;
  /** Tags, and what vacuum left. */
  readonly upkeep: UpkeepLog;
  readonly checkpoints: CheckpointFiles;
  readonly author: string | null;
  /** Settings of a write that say nothing else. */
  readonly writeSettings: { readonly memoryBytesMax?: number };
  readonly log: Log<Commit>;
  readonly #past: PastVersions;
  /** What the log was read from behind of, by version; the last two, as a reader may hold entries behind the first. */
  readonly #begun = new Map<number, TableVersion>();
  #newest: TableVersion | undefined;

  constructor(store: ObjectStore, name: string, options: TableStoreOptions = {}) {
    this.store = store;
    this.name = name;
    this.author = options.author ?? null;
    const { writeMemoryBytesMax: memoryBytesMax } = options;
    this.writeSettings = memoryBytesMax === undefined ? {} : { memoryBytesMax };
    this.upkeep = new UpkeepLog(store);
    this.checkpoints = new CheckpointFiles(store, options.checkpointEvery);
    const cut: LogCut = {
      begin: async (hint, again) => {
        const found = await this.checkpoints.newest(hint, again === 0 ? 0 : (await this.upkeep.now()).floor);
        if (found === undefined) return 0;
        this.#begin(found);
        return found.version;
      },
      floor: async () => (await this.upkeep.now()).floor,
    };
    this.log = new Log(store, logFolder, parseCommit, cut);
    this.#past = new PastVersions(this.log, this.checkpoints);
  }

  /** Makes the first version of a table; false where there is one. */
  static async create(
    store: ObjectStore,
    operation: CreateOperation,
    options: TableStoreOptions = {},
  ): Promise<boolean> {
    const commit: Commit = { transaction: uniqueId('txn_'), time: wallMicros(), operations: [operation] };
    const table = new TableStore(store, operation.tableId, options);
    const version = await table.log.commit(
      (entry) => entry.transaction === commit.transaction,
      (entries, base) => (base + entries.length === 0 ? table.#signed(commit) : undefined),
    );
    return version !== undefined;
  }

  /**
   * The newest version.
   *
   * @throws SpiralError `unknown_table` when the log has no entry; `corrupt_log`, `path_outside_root`.
   */
  async latest(): Promise<TableVersion> {
    const tail = await this.log.tail();
    const version = this.#version(tail);
    this.#letGo(tail);
    return version;
  }

  /** Version number `version`. @throws SpiralError `version_not_found`, `version_vacuumed`. */
  async at(version: number): Promise<TableVersion> {
    const tail = await this.log.tailUpTo(version);
    const held = tail === undefined ? undefined : this.#version(tail);
    if (tail !== undefined) this.#letGo(tail);
    const upkeep = await this.upkeep.now();
    if (!isKept(upkeep, version)) throw this.#vacuumed(`Version ${version}`, upkeep, { version });
    if (held !== undefined) return held;
    return this.#past.at(version, upkeep, `the log of ${this.name}`);
  }

  /**
   * The last version committed at or before `time`, microseconds since the epoch.
   *
   * @throws SpiralError `version_not_found` when the table was made later, or `time` is still to come: what it names may
   * change; `version_vacuumed` when vacuum has removed it.
   */
  async asof(time: number): Promise<TableVersion> {
    const tail = await this.log.tail();
    const newest = this.#version(tail);
    if (time < newest.created || time > Math.max(newest.time, wallMicros())) throw this.#noVersion(time, newest);
    const { base, entries } = tail;
    const begun = this.#begun.get(base);
    const upkeep = await this.upkeep.now();
    const tagged = [...upkeep.tags.values()].find((tag) => tag.time === time);
    if (tagged !== undefined) return this.at(tagged.version);
    if (time < upkeep.floorTime) throw this.#vacuumed(`The version at ${time}`, upkeep, { asof: time });
    let count = newest.version - base;
    while (count > 0 && entries[count - 1]!.time > time) count--;
    if (count > 0) return this.#version({ base, entries: entries.slice(0, count) }, begun);
    if (base > 0 && begun!.time <= time) return this.at(base);
    return this.at(await this.#past.asof(time, Math.max(1, upkeep.floor), base));
  }

  /**
   * Commits `operations` on top of whatever version there is by then, and gives the version that made (laws 16 to 18).
   * Trying again under one `transaction` is safe: it is in the log once.
   *
   * @throws SpiralError `write_conflict`; `unavailable` when other writers won every time, or, with
   * `details.outcome` 'unknown', when the store failed and does not tell whether the commit is there.
   */
  async commit(operations: readonly Operation[], origin: CommitOrigin = {}): Promise<TableVersion> {
    const { transaction = uniqueId('txn_'), base, check } = origin;
    // A name that was made here and now is in no commit that is known already.
    const behind = origin.transaction === undefined ? (this.#newest?.version ?? 0) : 0;
    const earlier = base === undefined || check === undefined ? undefined : await this.#behind(base);
    if (base !== undefined && check !== undefined) await this.#checkKept(base, check);
    const number = await this.log.commit(
      (entry) => entry.transaction === transaction,
      (entries, logBase) => {
        const newest = this.#version({ base: logBase, entries });
        if (earlier !== undefined) check?.(earlier, newest);
        const since = { first: logBase, commits: entries, base: base ?? newest.version };
        check?.(since, newest);
        const time = Math.max(wallMicros(), newest.time + 1);
        return this.#signed({ transaction, time, operations: rebase(operations, newest, this.name, since) });
      },
      behind,
    );
    const tail = await this.log.tailUpTo(number!);
    const version = tail === undefined ? await this.latest() : this.#version(tail);
    if (await this.checkpoints.offer(version)) {
      // Who writes for long would hold every commit ever made.
      this.#begin(version);
      this.log.forget(version.version);
      await this.log.sumUp(version.version);
    }
    return version;
  }

  /** Has the kept versions behind `base` looked at, where the commits that led to them are gone. */
  async #checkKept(base: number, check: NonNullable<CommitOrigin['check']>): Promise<void> {
    const { floor, tags } = await this.upkeep.now();
    if (base >= floor) return;
    const below = Array.from(tags.values(), ({ version }) => version).filter((version) => version < floor);
    for (const version of new Set([...below.filter((each) => each > base), floor])) {
      check({ commits: [], first: version, base: version }, await this.at(version));
    }
  }

  /** The commits behind version `base` that those the log is read from sum up; undefined where there are none. */
  async #behind(base: number): Promise<CommitsSince | undefined> {
    const { base: summed } = await this.log.tail();
    const first = Math.max(base, (await this.upkeep.now()).floor);
    if (first >= summed) return undefined;
    return { commits: await this.log.read(first + 1, summed), first, base };
  }

  /** `error`, met while reading `version`; `version_vacuumed` where a file is missing because vacuum deleted it. */
  async explained(error: unknown, version: number): Promise<unknown> {
    const upkeep = isSpiralError(error, 'not_found') ? await this.upkeep.now().catch(() => undefined) : undefined;
    return upkeep === undefined || isKept(upkeep, version)
      ? error
      : this.#vacuumed(`Version ${version}`, upkeep, { version }, error);
  }

  /** The error for what vacuum has removed. */
  #vacuumed(what: string, { floor, floorTime, tags }: Upkeep, details: object, cause?: unknown): SpiralError {
    const names = [...tags.keys()];
    const kept = names.length === 0 ? '' : `, and the tagged ${names.slice(0, 20).join(', ')}`;
    return new SpiralError(
      'version_vacuumed',
      `${what} of ${this.name} was removed by vacuum, which kept versions from ${floor} on (committed at ${floorTime})` +
        `${kept}. Take one of these; next time, keep what you will come back to with \`table.tag(name, asof)\`.`,
      { details: { table: this.name, ...details, floor, floorTime, tags: names }, cause },
    );
  }

  #noVersion(asof: number, { created, time }: TableVersion): SpiralError {
    const expected =
      asof < created
        ? `a time at or after ${created}, when ${this.name} was made`
        : `a time up to now for ${this.name}, whose newest version is of ${time}`;
    return new SpiralError('version_not_found', `Expected ${expected}, got ${asof} (microseconds since the epoch).`, {
      details: { table: this.name, asof, created, newest: time },
    });
  }

  #signed(commit: Commit): Commit {
    return this.author === null ? commit : { ...commit, author: this.author };
  }

  /** The log is read from behind `version` on. */
  #begin(version: TableVersion): void {
    this.#begun.set(version.version, version);
    if (this.#begun.size > 2) this.#begun.delete(this.#begun.keys().next().value!);
  }

  /** Who reads for long would hold every commit made meanwhile: the older ones are summed up, and read again where needed. */
  #letGo({ base, entries }: LogTail<Commit>): void {
    if (entries.length < 2 * commitsHeld) return;
    const begun = this.#version({ base, entries: entries.slice(0, -commitsHeld) });
    this.#begin(begun);
    this.log.forget(begun.version);
  }

  /** The version that `entries` lead to, `begun` being that of `base`. */
  #version({ base, entries }: LogTail<Commit>, begun = this.#begun.get(base)): TableVersion {
    const wanted = base + entries.length;
    if (wanted === 0) {
      throw new SpiralError('unknown_table', `Expected a table at ${this.store.uri}, found none.`, {
        details: { table: this.name, root: this.store.uri },
      });
    }
    const newest = this.#newest;
    const before = newest !== undefined && newest.version >= base && newest.version <= wanted ? newest : begun;
    const version = replay(entries, `the log of ${this.name}`, before, base);
    if (newest === undefined || newest.version < version.version) this.#newest = version;
    return version;
  }
}
