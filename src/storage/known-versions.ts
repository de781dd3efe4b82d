import { knownVersionsMax } from '../core/limits.js';
import { differ, type ObjectVersion } from './http-answer.js';
import type { HttpWork } from './http-errors.js';
import { versionChanged } from './store-errors.js';

/**
 * The version of each object that its ranges must be of, as long as it is among those used last. Reads of one file are many
 * requests: without this a file that is replaced meanwhile would be read as a mixture.
 */
export class KnownVersions {
  readonly #byPath = new Map<string, ObjectVersion>();

  /** Has ranges be of `version` from now on. */
  look({ path }: HttpWork, version: ObjectVersion): void {
    this.#byPath.delete(path);
    this.#byPath.set(path, version);
    if (this.#byPath.size <= knownVersionsMax) return;
    const [oldest] = this.#byPath.keys();
    this.#byPath.delete(oldest!);
  }

  /** Returns if `version` is the one that ranges are of, or the first. @throws SpiralError `file_changed`. */
  check(work: HttpWork, version: ObjectVersion): void {
    const known = this.#byPath.get(work.path);
    if (known === undefined) this.look(work, version);
    else if (differ(known, version)) throw versionChanged(work.uri, work.path);
  }

  /** Has the next range be of whatever there is. */
  forget(path: string): void {
    this.#byPath.delete(path);
  }
}
