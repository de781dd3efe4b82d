import type { ObjectStore } from '../../src/storage/store.js';

/** What was asked of a store, and who holds its answers back. */
export interface WatchedStore {
  readonly store: ObjectStore;
  readonly asked: string[];
  /** The ranges whose requests were ended. */
  readonly aborted: string[];
  hold(): void;
  letGo(): void;
}

/** `store` that notes what is asked of it; between `hold` and `letGo` it answers no range. */
export function watched(store: ObjectStore): WatchedStore {
  const asked: string[] = [];
  const aborted: string[] = [];
  const waiting: (() => void)[] = [];
  let held = false;
  const over: ObjectStore = {
    uri: store.uri,
    get: (path, options) => {
      asked.push(`get ${path}`);
      return store.get(path, options);
    },
    getRange: async (path, offset, length, options) => {
      const name = `${path} ${offset}+${length}`;
      asked.push(name);
      options?.signal?.addEventListener('abort', () => aborted.push(name));
      if (held) await new Promise<void>((go) => waiting.push(go));
      return store.getRange(path, offset, length, options);
    },
    getTail: (path, length, options) => {
      asked.push(`tail ${path}`);
      return store.getTail(path, length, options);
    },
    head: (path, options) => {
      asked.push(`head ${path}`);
      return store.head(path, options);
    },
    put: (...args) => store.put(...args),
    putIfAbsent: (...args) => store.putIfAbsent(...args),
    delete: (...args) => store.delete(...args),
    list: (prefix, options) => {
      asked.push(`list ${prefix}`);
      return store.list(prefix, options);
    },
    close: () => store.close(),
  };
  return {
    store: over,
    asked,
    aborted,
    hold: () => {
      held = true;
    },
    letGo: () => {
      held = false;
      for (const go of waiting.splice(0)) go();
    },
  };
}
