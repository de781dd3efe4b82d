import type { ObjectStore } from './store.js';

/** A method of stores that can read small ranges without waiting for anything. */
export const readNow: unique symbol = Symbol('spiral-loader.readNow');

/** A store with {@link readNow}. */
export interface ReadsNow {
  /** Whether the bytes of `path` from `offset` on were read, and fill `into`: else nothing was found out. */
  [readNow](path: string, offset: number, into: Uint8Array): boolean;
}

/** Fills `into` as `getRange` would, where `store` can do that at once; else, and where anything is wrong, false. */
export function readAtOnce(store: ObjectStore, path: string, offset: number, into: Uint8Array): boolean {
  return (store as Partial<ReadsNow>)[readNow]?.(path, offset, into) ?? false;
}
