import { isSpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { decodeFrame, encodeFrame, type FrameKind } from './frame.js';
import type { LogHint } from './log.js';
import { storedList, storedObject, storedText, storedWhole } from './stored-value.js';
import { parseTag, type Upkeep } from './upkeep-change.js';

const sumFrame: FrameKind = { mark: 0x554c5053, layout: 1, what: 'a sum of tags' }; // 'SPLU'
const folder = 'upkeep-sums';
/** Changes between two sums: a job that tags each of its epochs would read all that were ever made whenever it starts. */
const sumEvery = 128;

/** What is kept after a number of changes. */
export interface UpkeepSum {
  readonly count: number;
  readonly upkeep: Upkeep;
}

/** What the first changes of an upkeep log come to, as files that spare reading them. All may be lost: no change is deleted. */
export class UpkeepSums {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** The newest sum that can be read where one may well be; undefined where there is none. */
  async newest({ reached, summed }: LogHint): Promise<UpkeepSum | undefined> {
    const last = reached - (reached % sumEvery);
    for (const count of new Set([Math.max(summed, last), summed, last, last - sumEvery])) {
      const found = count > 0 ? await this.#read(count) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether a sum of `count` changes is to be written. */
  isDue(count: number): boolean {
    return count % sumEvery === 0;
  }

  /** Writes `sum`; whether it is there now. */
  async write({ count, upkeep }: UpkeepSum): Promise<boolean> {
    const { floor, floorTime, tags } = upkeep;
    try {
      const bytes = encodeFrame(sumFrame, { count, floor, floorTime, tags: [...tags.values()] });
      await this.#store.put(place(count), bytes);
      // Readers of an older hint find the one before.
      if (count > 2 * sumEvery) await this.#store.delete(place(count - 2 * sumEvery));
      return true;
    } catch {
      // The change is made, which is all that was promised: readers take an older sum and more changes.
      return false;
    }
  }

  async #read(count: number): Promise<UpkeepSum | undefined> {
    try {
      const sum = parseSum(decodeFrame(sumFrame, await this.#store.get(place(count))));
      return sum.count === count ? sum : undefined;
    } catch (error) {
      // One that is damaged, or of a later release, spares nothing; the changes themselves say what is wrong, if anything is.
      if (isSpiralError(error, 'not_found', 'corrupt_log', 'unsupported')) return undefined;
      throw error;
    }
  }
}

function place(count: number): string {
  return `${folder}/${String(count).padStart(20, '0')}`;
}

function parseSum(raw: unknown): UpkeepSum {
  const sum = storedObject(raw, sumFrame.what);
  const tags = storedList(sum['tags'], 'the tags').map((each) => {
    const tag = storedObject(each, 'a tag');
    return parseTag(tag, {
      made: storedWhole(tag['made'], 'its time'),
      author: tag['author'] === null ? null : storedText(tag['author'], 'its author'),
    });
  });
  return {
    count: storedWhole(sum['count'], 'the number of changes', 1),
    upkeep: {
      floor: storedWhole(sum['floor'], 'the floor'),
      floorTime: storedWhole(sum['floorTime'], 'the time of the floor'),
      tags: new Map(tags.map((tag) => [tag.name, tag])),
    },
  };
}
