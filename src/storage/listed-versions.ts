import { abortable } from '../core/abort.js';
import { isSpiralError } from '../core/errors.js';
import { cachedObjectsMax } from '../core/limits.js';
import type { ObjectInfo, ObjectStore, StoreOptions } from './store.js';

/**
 * Versions of objects that are made once and bear numbers (`log/00000000000000000123`), a hundred by one request. A list is
 * asked for once: what it did not show is unknown for good, to be had from the store each time.
 */
export class ListedVersions {
  readonly #store: ObjectStore;
  readonly #lists = new Map<string, Promise<Map<string, ObjectInfo>>>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** What the list shows of `path`. @throws SpiralError as `list`, and `cancelled` by the signal. */
  async of(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const prefix = prefixOf(path);
    let list = this.#lists.get(prefix);
    if (list === undefined) {
      // Ended by nobody's signal: others may wait for the same list.
      list = this.#listed(prefix);
      this.#lists.set(prefix, list);
      list.catch(() => this.#lists.delete(prefix));
      if (this.#lists.size > cachedObjectsMax / 100) this.#lists.delete(this.#lists.keys().next().value!);
    }
    return (await abortable(list, options?.signal, `read of ${path}`)).get(path);
  }

  /** Has `path` be unknown. */
  forget(path: string): void {
    void this.#lists.get(prefixOf(path))?.then(
      (infos) => infos.delete(path),
      () => {},
    );
  }

  async #listed(prefix: string): Promise<Map<string, ObjectInfo>> {
    const found = new Map<string, ObjectInfo>();
    try {
      for await (const info of this.#store.list(prefix)) {
        found.set(info.path, info);
        // More than a hundred are no numbered objects: their versions are not worth many requests.
        if (found.size >= 1000) break;
      }
    } catch (error) {
      if (!isHidden(error)) throw error;
    }
    return found;
  }
}

/** That of all that differ in their last two digits. */
function prefixOf(path: string): string {
  return path.replace(/\d\d$/, '');
}

/** Whether a store that may give the object itself does not tell its version, or that there is none. */
export function isHidden(error: unknown): boolean {
  return (
    isSpiralError(error, 'permission_denied') ||
    isSpiralError(error, 'unsupported') ||
    isSpiralError(error, 'not_found')
  );
}
