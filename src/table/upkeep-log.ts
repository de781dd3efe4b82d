import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from './log.js';
import { storedObject, storedText, storedWhole, untrusted } from './stored-value.js';

/** A name for a version, which keeps it from vacuum. */
export interface Tag {
  readonly name: string;
  readonly version: number;
  /** When the version was committed, in microseconds since the epoch: what `asof` takes. */
  readonly time: number;
  /** When the tag was made, in microseconds since the epoch. */
  readonly made: number;
  /** Who made it, where the client was set to say. */
  readonly author: string | null;
}

/** What says which versions of a table are kept. */
export interface Upkeep {
  /** Versions from here on are kept; 0 until a first vacuum. */
  readonly floor: number;
  /** When the floor was committed. */
  readonly floorTime: number;
  /** Versions below the floor that are kept are those of tags. */
  readonly tags: ReadonlyMap<string, Tag>;
}

/** A change of what is kept. */
export type UpkeepChange =
  | ({ readonly kind: 'tag' } & Tag)
  | { readonly kind: 'untag'; readonly name: string; readonly made: number; readonly author: string | null }
  | {
      readonly kind: 'vacuum';
      readonly floor: number;
      readonly floorTime: number;
      readonly made: number;
      readonly author: string | null;
    };

type UpkeepEntry = UpkeepChange & { readonly change: string };

/**
 * Which versions of a table are kept: tags, and the floor below which vacuum deletes. A log of its own beside that of the
 * commits, so that a tag makes no new version, and that of a tag and a vacuum at once one is first and the other knows.
 */
export class UpkeepLog {
  readonly #log: Log<UpkeepEntry>;
  #known: { readonly count: number; readonly upkeep: Upkeep } = {
    count: 0,
    upkeep: { floor: 0, floorTime: 0, tags: new Map() },
  };

  constructor(store: ObjectStore) {
    this.#log = new Log(store, 'upkeep', parseEntry);
  }

  /** What is kept now. @throws SpiralError `corrupt_log`. */
  async now(): Promise<Upkeep> {
    return this.#after(await this.#log.entries());
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
      (entries) => {
        const made = make(this.#after(entries));
        return made === undefined ? undefined : { ...made, change };
      },
    );
    return number === undefined ? undefined : this.#log.path(number);
  }

  #after(entries: readonly UpkeepEntry[]): Upkeep {
    if (this.#known.count < entries.length) {
      let { floor, floorTime } = this.#known.upkeep;
      const tags = new Map(this.#known.upkeep.tags);
      for (const entry of entries.slice(this.#known.count)) {
        if (entry.kind === 'tag') tags.set(entry.name, tagOf(entry));
        else if (entry.kind === 'untag') tags.delete(entry.name);
        else if (entry.floor > floor) ({ floor, floorTime } = entry);
      }
      this.#known = { count: entries.length, upkeep: { floor, floorTime, tags } };
    }
    return this.#known.upkeep;
  }
}

/** Whether `version` can be read. */
export function isKept(upkeep: Upkeep, version: number): boolean {
  return version >= upkeep.floor || [...upkeep.tags.values()].some((tag) => tag.version === version);
}

function tagOf({ name, version, time, made, author }: Tag): Tag {
  return { name, version, time, made, author };
}

function parseEntry(raw: unknown): UpkeepEntry {
  const entry = storedObject(raw, 'the entry');
  const common = {
    change: storedText(entry['change'], 'its change'),
    made: storedWhole(entry['made'], 'its time'),
    author: entry['author'] === null ? null : storedText(entry['author'], 'its author'),
  };
  switch (entry['kind']) {
    case 'tag':
      return {
        ...common,
        kind: 'tag',
        name: storedText(entry['name'], 'the name of a tag'),
        version: storedWhole(entry['version'], 'the version of a tag', 1),
        time: storedWhole(entry['time'], 'the time of a version'),
      };
    case 'untag':
      return { ...common, kind: 'untag', name: storedText(entry['name'], 'the name of a tag') };
    case 'vacuum':
      return {
        ...common,
        kind: 'vacuum',
        floor: storedWhole(entry['floor'], 'the floor', 1),
        floorTime: storedWhole(entry['floorTime'], 'the time of the floor'),
      };
    default:
      throw untrusted("an entry's kind", 'tag, untag or vacuum', entry['kind']);
  }
}
