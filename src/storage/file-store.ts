import { lstat, unlink } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { checkSignal } from '../core/abort.js';
import { openFilesMax } from '../core/limits.js';
import { uninitializedBytes } from './byte-buffer.js';
import { type FileWork, fileError, fileWork, systemCode } from './file-errors.js';
import { FileHandles } from './file-handles.js';
import { headFile, listFiles } from './file-list.js';
import { closeFile, etagOf, openFile, readInto, readSmall, sizeOf } from './file-read.js';
import { FileRoot, folderOf } from './file-root.js';
import { type Publish, sweepTemporaries, writeFile } from './file-write.js';
import { checkPath, checkPrefix } from './object-path.js';
import { checkBytes } from './put-body.js';
import { type ReadsNow, readNow, type SmallRange } from './read-now.js';
import { markReopenable } from './reopenable.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, checkWhole, storeClosed, truncated, versionChanged } from './store-errors.js';

/** One for all stores of the thread: descriptors are the process's, and a put through one store is seen by all. */
const handles = new FileHandles(closeFile, openFilesMax);

/**
 * The files below the folder `root`, which the first write makes where it is missing. Nothing is touched before.
 *
 * Unfinished files stand in `root/.tmp`, unseen by `list`; those of dead processes are removed after a day. Links that
 * lead out of the root are refused (`path_outside_root`). `putIfAbsent` needs a file system with hard links.
 */
export function fileStore(root: string): ObjectStore {
  return markReopenable(new FileStore(new FileRoot(resolve(root), true)));
}

/**
 * The same for files that need not outlast a fall of the whole system: nothing waits for the disk. What dies with its
 * process leaves no half-written file here either.
 */
export function scratchStore(root: string): ObjectStore {
  return new FileStore(new FileRoot(resolve(root), false));
}

/**
 * Lets go of the handle that stores of this thread keep open of the file at `place`, absolute: bytes of a file that is
 * deleted stay on the disk as long as one is open, and a file put in its place is not seen through it.
 */
export function dropOpenFile(place: string): void {
  void handles.drop(place);
}

class FileStore implements ObjectStore, ReadsNow {
  readonly uri: string;
  readonly #root: FileRoot;
  #swept: Promise<void> | undefined;
  #closed = false;

  constructor(root: FileRoot) {
    this.uri = root.uri;
    this.#root = root;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    const { place, where, what } = this.#start('read', path, options);
    const work = async (fd: number): Promise<Uint8Array> => {
      const size = await sizeOf(fd);
      checkWhole(this.uri, path, size);
      return this.#read(fd, path, 0, size, undefined, what, options);
    };
    // Opened anew, not through a kept handle: objects that change (catalogs, tags) are read whole.
    return fileWork(
      handles.once(place, () => this.#open(path), work),
      where,
    );
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const { place, where, what } = this.#start('read', path, options);
    if (length === 0) return options?.into?.subarray(0, 0) ?? new Uint8Array(0);
    const work = async (fd: number): Promise<Uint8Array> => {
      if (options?.etag !== undefined && options.etag !== (await etagOf(fd))) throw versionChanged(this.uri, path);
      return this.#read(fd, path, offset, length, options?.into, what, options);
    };
    return fileWork(
      handles.use(place, () => this.#open(path), work),
      where,
    );
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const { place, where, what } = this.#start('read', path, options);
    const work = async (fd: number): Promise<{ bytes: Uint8Array; size: number }> => {
      const size = await sizeOf(fd);
      const wanted = Math.min(length, size);
      return { bytes: await this.#read(fd, path, size - wanted, wanted, undefined, what, options), size };
    };
    // A tail begins the reading of a file: its ranges then come from the version that the tail was of.
    void handles.drop(place);
    return fileWork(
      handles.use(place, () => this.#open(path), work),
      where,
    );
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const { what } = this.#start('read', path, options);
    const info = await headFile(this.#root, path, 'read');
    checkSignal(options?.signal, what);
    return info;
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    await this.#write(path, body, 'replace', options);
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#write(path, checkBytes(body), 'claim', options);
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    this.#checkOpen();
    yield* listFiles(this.#root, prefix, options?.signal);
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    const { place, where } = this.#start('delete', path, options);
    try {
      const folder = await this.#root.resolve(folderOf(path));
      await unlink(join(folder, path.slice(path.lastIndexOf('/') + 1)));
      await this.#root.sync(folder);
    } catch (error) {
      if (!(await isNoObject(error, place))) throw fileError(error, where);
    } finally {
      void handles.drop(place);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const below = this.#root.place('');
    await handles.dropAll(below.endsWith(sep) ? below : below + sep);
  }

  async #write(path: string, body: PutBody, publish: Publish, options: StoreOptions | undefined): Promise<boolean> {
    const { place } = this.#start('write', path, options);
    this.#swept ??= sweepTemporaries(this.#root);
    await this.#swept;
    try {
      return await writeFile(this.#root, path, body, publish, options?.signal);
    } finally {
      void handles.drop(place);
    }
  }

  async #open(path: string): Promise<number> {
    return openFile(await this.#root.resolve(path));
  }

  [readNow](path: string, ranges: readonly SmallRange[]): number {
    if (this.#closed) return 0;
    const fd = handles.now(this.#root.place(checkPath(path)));
    if (fd === undefined) return 0;
    let done = 0;
    try {
      for (const { offset, into } of ranges) {
        if (readSmall(fd, into, into.length, offset) !== into.length) break;
        done++;
      }
    } catch {
      // Who reads it in the other way meets the same.
    }
    return done;
  }

  async #read(
    fd: number,
    path: string,
    offset: number,
    length: number,
    into: Uint8Array | undefined,
    what: string,
    options: StoreOptions | undefined,
  ): Promise<Uint8Array> {
    const bytes = into ?? uninitializedBytes(length);
    const found = await readInto(fd, bytes, length, offset, options?.signal, what);
    if (found < length) throw truncated(this.uri, path, offset, length, found);
    return bytes.length === length ? bytes : bytes.subarray(0, length);
  }

  #start(
    doing: FileWork['doing'],
    path: string,
    options: StoreOptions | undefined,
  ): { place: string; where: FileWork; what: string } {
    checkPath(path);
    this.#checkOpen();
    const what = `${doing} of ${path}`;
    checkSignal(options?.signal, what);
    return { place: this.#root.place(path), where: { uri: this.uri, path, doing }, what };
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }
}

/** Whether an unlink failed because no object stands at `place`: nothing, or a folder (which macOS says is EPERM). */
async function isNoObject(error: unknown, place: string): Promise<boolean> {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return true;
  return code === 'EPERM' && (await lstat(place)).isDirectory();
}
