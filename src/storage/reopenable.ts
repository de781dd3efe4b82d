import type { ObjectStore } from './store.js';

const reopenable = new WeakSet<ObjectStore>();

/** Notes that `openStore(store.uri)` gives the same objects in every thread; a wrapper around a store is another store. */
export function markReopenable(store: ObjectStore): ObjectStore {
  reopenable.add(store);
  return store;
}

/** Whether another thread can open the store by its URI; any other store has to be served to it. */
export function isReopenable(store: ObjectStore): boolean {
  return reopenable.has(store);
}
