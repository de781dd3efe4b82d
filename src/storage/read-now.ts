import type { ObjectStore } from './store.js';

/** A method of stores that can read small ranges without waiting for anything. */
export const readNow: unique symbol = Symbol('spiral-loader.readNow');

/** Bytes from `offset` on, as many as fill `into`. */
export interface SmallRange {
  readonly offset: number;
  readonly into: Uint8Array;
}

/** A store with {@link readNow}. */
export interface ReadsNow {
  /** How many of `ranges` of `path`, from the first on, were read: of the others nothing was found out. Undefined: it never does so. */
  [readNow](path: string, ranges: readonly SmallRange[]): number | undefined;
}

/**
 * Fills the first of `ranges` as `getRange` would, as many as `store` can at once, and tells how many; undefined where it
 * never can.
 */
export function readAtOnce(store: ObjectStore, path: string, ranges: readonly SmallRange[]): number | undefined {
  return (store as Partial<ReadsNow>)[readNow]?.(path, ranges);
}

/** Whether `store` ever reads so. */
export function readsAtOnce(store: ObjectStore, path: string): boolean {
  return readAtOnce(store, path, []) !== undefined;
}
