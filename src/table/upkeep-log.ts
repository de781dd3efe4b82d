import { upkeepChangesHeld } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';
import { Log, type LogCut, type LogTail } from './log.js';
import { changed, parseUpkeepEntry, type Upkeep, type UpkeepChange, type UpkeepEntry } from './upkeep-change.js';
import { type UpkeepSum, UpkeepSums } from './upkeep-sums.js';

const nothing: UpkeepSum = { count: 0, upkeep: { floor: 0, floorTime: 0, tags: new Map() } };

/**
 * Which versions of a table are kept: tags, and the floor below which vacuum deletes. A log of its own beside that of the
 * commits, so that a tag makes no new version, and that of a tag and a vacuum at once one is first and the other knows.
 */
export class UpkeepLog {
  readonly #log: Log<UpkeepEntry>;
  readonly #sums: UpkeepSums;
  /** What the changes come to that the log is read behind of. */
  #begun = nothing;
  /** The same of all that were read so far. */
  #known = nothing;

  constructor(store: ObjectStore) {
    this.#sums = new UpkeepSums(store);
    const cut: LogCut = {
      begin: async (hint) => {
        this.#begun = (await this.#sums.newest(hint)) ?? nothing;
        this.#known = this.#begun;
        return this.#begun.count;
      },
      // No change is ever deleted.
      floor: async () => 0,
    };
    this.#log = new Log(store, 'upkeep', parseUpkeepEntry, cut);
  }

  /** What is kept now. @throws SpiralError `corrupt_log`. */
  async now(): Promise<Upkeep> {
    const tail = await this.#log.tail();
    const { upkeep } = this.#after(tail);
    this.#letGo(tail);
    return upkeep;
  }

  /** Changes that are in memory. */
  async held(): Promise<number> {
    return (await this.#log.tail()).entries.length;
  }

  /**
   * Appends the change that `make` gives for what is kept by then, and gives the path of its file; undefined where `make`
   * gives none.
   *
   * @throws SpiralError what `make` throws, and as `Log.commit`.
   */
  async commit(make: (upkeep: Upkeep) => UpkeepChange | undefined): Promise<string | undefined> {
    const change = uniqueId('');
    const number = await this.#log.commit(
      (entry) => entry.change === change,
      (entries, base) => {
        const made = make(this.#after({ base, entries }).upkeep);
        return made === undefined ? undefined : { ...made, change };
      },
    );
    if (number === undefined) return undefined;
    if (this.#sums.isDue(number)) await this.#sumUp(number);
    return this.#log.path(number);
  }

  async #sumUp(number: number): Promise<void> {
    const tail = await this.#log.tailUpTo(number);
    // Behind what many others changed meanwhile there is nothing to sum up from: the next one is theirs.
    if (tail === undefined || tail.base !== this.#begun.count) return;
    if (await this.#sums.write(sumAt(this.#begun, tail.entries))) await this.#log.sumUp(number);
  }

  #after({ base, entries }: LogTail<UpkeepEntry>): UpkeepSum {
    this.#known = sumAt(this.#known, entries.slice(this.#known.count - base));
    return this.#known;
  }

  /** Who tags each epoch would hold all changes ever made. The last ones stay, as a commit looks for its own among them. */
  #letGo({ base, entries }: LogTail<UpkeepEntry>): void {
    if (entries.length < 2 * upkeepChangesHeld || base !== this.#begun.count) return;
    this.#begun = sumAt(this.#begun, entries.slice(0, -upkeepChangesHeld));
    this.#log.forget(this.#begun.count);
  }
}

/** `sum` and the changes behind it. */
function sumAt({ count, upkeep }: UpkeepSum, changes: readonly UpkeepEntry[]): UpkeepSum {
  return { count: count + changes.length, upkeep: changed(upkeep, changes) };
}

/** Whether `version` can be read. */
export function isKept(upkeep: Upkeep, version: number): boolean {
  return version >= upkeep.floor || [...upkeep.tags.values()].some((tag) => tag.version === version);
}
