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

/** A change as the log has it, under a name of its own. */
export type UpkeepEntry = UpkeepChange & { readonly change: string };

/** `upkeep` after `changes`. */
export function changed(upkeep: Upkeep, changes: readonly UpkeepEntry[]): Upkeep {
  if (changes.length === 0) return upkeep;
  let { floor, floorTime } = upkeep;
  const tags = new Map(upkeep.tags);
  for (const change of changes) {
    if (change.kind === 'tag') tags.set(change.name, tagOf(change));
    else if (change.kind === 'untag') tags.delete(change.name);
    else if (change.floor > floor) ({ floor, floorTime } = change);
  }
  return { floor, floorTime, tags };
}

function tagOf({ name, version, time, made, author }: Tag): Tag {
  return { name, version, time, made, author };
}

/** The entry that was decoded to `raw`. @throws SpiralError `corrupt_log`, without the file's name. */
export function parseUpkeepEntry(raw: unknown): UpkeepEntry {
  const entry = storedObject(raw, 'the entry');
  const common = {
    change: storedText(entry['change'], 'its change'),
    made: storedWhole(entry['made'], 'its time'),
    author: entry['author'] === null ? null : storedText(entry['author'], 'its author'),
  };
  switch (entry['kind']) {
    case 'tag':
      return { ...common, kind: 'tag', ...parseTag(entry, common) };
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

/** A tag as it is stored. @throws SpiralError `corrupt_log`. */
export function parseTag(
  stored: Readonly<Record<string, unknown>>,
  { made, author }: Pick<Tag, 'made' | 'author'>,
): Tag {
  return {
    name: storedText(stored['name'], 'the name of a tag'),
    version: storedWhole(stored['version'], 'the version of a tag', 1),
    time: storedWhole(stored['time'], 'the time of a version'),
    made,
    author,
  };
}
