import type { ObjectStore } from './store.js';

const reopenable = new WeakMap<ObjectStore, string>();

/**
 * Notes that `openStore(uri)` gives the same objects in every thread; a wrapper around a store is another store. Unlike
 * `store.uri`, `uri` may hold credentials: it goes to threads of this process, and nowhere else.
 */
export function markReopenable(store: ObjectStore, uri: string = store.uri): ObjectStore {
  reopenable.set(store, uri);
  return store;
}

/** What another thread opens the store by; undefined where it has to be served to it. Never to be shown or stored. */
export function reopenUri(store: ObjectStore): string | undefined {
  return reopenable.get(store);
}
