import { cacheToldMax } from '../../core/limits.js';
import type { Wish } from './cache-demand.js';
import type { MemberNeeds } from './cache-members.js';
import type { ExpectedShards } from './expected-shards.js';

/** What this member of a cache folder does with shards. */
export class OwnNeeds {
  pins: Set<number> = new Set();
  fetching: Set<number> = new Set();
  checking: Set<number> = new Set();
  waiting: Set<Wish> = new Set();
  readonly #publish: (needs: MemberNeeds) => void;
  readonly #expected: ExpectedShards;

  constructor(expected: ExpectedShards, publish: (needs: MemberNeeds) => void) {
    this.#expected = expected;
    this.#publish = publish;
  }

  /** Makes a change that all others see, or none. @throws what publishing it fails with. */
  change(make: () => void): void {
    const { pins, fetching, checking, waiting } = this;
    this.pins = new Set(pins);
    this.fetching = new Set(fetching);
    this.checking = new Set(checking);
    this.waiting = new Set(waiting);
    try {
      make();
      this.#publish(this.told());
    } catch (error) {
      Object.assign(this, { pins, fetching, checking, waiting });
      throw error;
    }
  }

  told(): MemberNeeds {
    return {
      pins: [...this.pins],
      fetching: [...this.fetching],
      checking: [...this.checking],
      waiting: [...this.waiting].map(({ since, shard }) => ({ since: since!, shard })),
      next: this.#expected.soon(cacheToldMax),
    };
  }
}
