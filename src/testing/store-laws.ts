import type { ObjectStore } from '../storage/store.js';
import { callLaws } from './store-call-laws.js';
import type { StoreLawTable } from './store-law-probes.js';
import { readLaws } from './store-read-laws.js';
import { writeLaws } from './store-write-laws.js';

/** A store made for one law, empty, and how to be rid of it. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  dispose(): Promise<void>;
}

/** One promise of the store contract. `run` rejects with an AssertionError where it is broken. */
export interface StoreLaw {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * What every {@link ObjectStore} must keep, as tests for any runner:
 * `for (const law of storeLaws(make)) it(law.name, law.run)`. `makeStore` is called once a law.
 */
export function storeLaws(makeStore: () => Promise<StoreUnderTest>): StoreLaw[] {
  return lawsOn(makeStore, [...writeLaws, ...readLaws, ...callLaws]);
}

/** The laws of `table`, each on a store of its own. */
export function lawsOn(makeStore: () => Promise<StoreUnderTest>, table: StoreLawTable): StoreLaw[] {
  return table.map(([name, law]) => ({
    name,
    run: async () => {
      const { store, dispose } = await makeStore();
      try {
        await law(store);
      } finally {
        await store.close();
        await dispose();
      }
    },
  }));
}
