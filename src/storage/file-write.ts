import { type FileHandle, link, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { checkSignal } from '../core/abort.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import { type FileWork, fileWork, systemCode } from './file-errors.js';
import { type FileRoot, folderOf } from './file-root.js';
import { reservedSegment } from './object-path.js';
import { takeBody } from './put-body.js';
import type { PutBody } from './store.js';

/** An unfinished file this old belongs to a process that died: a writer touches its own with every piece. */
const temporaryAgeMaxMs = 24 * 3600 * 1000;

/** How a finished file gets its name: `replace` always does, `claim` only where the name is free. */
export type Publish = 'replace' | 'claim';

/**
 * Writes `body` to a temporary file, makes it durable where `root` is, and gives it its name in one step. Resolves with false where
 * `publish` is 'claim' and the name was taken. Whatever happens, the temporary is gone.
 *
 * @throws SpiralError as `put`; and what a streamed body throws.
 */
export async function writeFile(
  root: FileRoot,
  path: string,
  body: PutBody,
  publish: Publish,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const where: FileWork = { uri: root.uri, path, doing: 'write' };
  const what = `put of ${path}`;
  const folder = await fileWork(root.makeFolder(folderOf(path)), where);
  const temporary = join(await fileWork(root.makeFolder(reservedSegment), where), uniqueId(''));
  const place = join(folder, path.slice(path.lastIndexOf('/') + 1));
  let left = true;
  try {
    await fill(temporary, body, where, root.isDurable, what, signal);
    checkSignal(signal, what);
    if (publish === 'replace') {
      await fileWork(rename(temporary, place), where);
      left = false;
    } else if (!(await claim(temporary, place, where))) {
      return false;
    }
  } finally {
    if (left) await unlink(temporary).catch(() => undefined);
  }
  await fileWork(root.sync(folder), where);
  return true;
}

/** Removes the temporaries that processes left behind when they died. Nothing is deleted through a link. */
export async function sweepTemporaries(root: FileRoot): Promise<void> {
  const folder = root.place(reservedSegment);
  const before = wallMicros() / 1000 - temporaryAgeMaxMs;
  try {
    // A folder of somebody else's files may stand here as a link: in a warehouse that was unpacked from an archive.
    if (!(await lstat(folder)).isDirectory()) return;
    for (const name of await readdir(folder)) {
      const place = join(folder, name);
      if ((await lstat(place)).mtimeMs < before) await unlink(place);
    }
  } catch {
    // Another process sweeps too, or this one may not: what stays is unseen, and is tried again by the next store.
  }
}

async function fill(
  temporary: string,
  body: PutBody,
  where: FileWork,
  isDurable: boolean,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await fileWork(open(temporary, 'wx'), where);
  try {
    const early = isDurable ? new EarlySync(file) : undefined;
    try {
      const take = async (pieces: readonly Uint8Array[]): Promise<void> => {
        const bytes = await writeAll(file, pieces);
        early?.wrote(bytes);
      };
      await takeBody(body, (pieces) => fileWork(take(pieces), where), what, signal);
    } finally {
      await early?.settled();
    }
    if (early === undefined) return;
    await fileWork(early.check(), where);
    await fileWork(file.sync(), where);
  } finally {
    await file.close();
  }
}

/** Bytes after which the system is told to write them: it would wait for the end else, and then be waited for. */
const earlySyncBytes = 16 * 1024 * 1024;

/** Has what was written so far become durable while more is made. That all of it is, the sync at the end tells. */
class EarlySync {
  readonly #file: FileHandle;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < earlySyncBytes || this.#running !== undefined) return;
    this.#bytes = 0;
    this.#running = this.#file.datasync().then(
      () => {
        this.#running = undefined;
      },
      (error: unknown) => {
        this.#failure = { error };
      },
    );
  }

  /** Waits until the file is left alone. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** @throws what an early sync failed with: the system tells of lost bytes once, so a later sync may well succeed. */
  async check(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** link(2) fails where the name exists, in one step for all processes; rename would overwrite. */
async function claim(temporary: string, place: string, where: FileWork): Promise<boolean> {
  try {
    await link(temporary, place);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    // Our own file, in a folder we could write to: what is not permitted is the hard link as such.
    const cause = code === 'EPERM' ? Object.assign(new Error((error as Error).message), { code: 'ENOTSUP' }) : error;
    return fileWork(Promise.reject(cause), where);
  }
}

/** Gathered writes until all is written: the system may take less than it was given. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<number> {
  let rest = pieces.filter((piece) => piece.byteLength > 0);
  const bytes = rest.reduce((sum, piece) => sum + piece.byteLength, 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(upTo(rest, writeBytesMax));
    let whole = 0;
    while (whole < rest.length && bytesWritten >= rest[whole]!.byteLength) bytesWritten -= rest[whole++]!.byteLength;
    rest = rest.slice(whole);
    if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
  }
  return bytes;
}

/** Bytes of one write: what Node tells of more than 2 GiB has wrapped round. */
const writeBytesMax = 2 ** 30;

/** The first `bytes` of `pieces`, or all. */
function upTo(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  for (const piece of pieces) {
    if (bytes === 0) break;
    taken.push(piece.subarray(0, Math.min(bytes, piece.byteLength)));
    bytes -= taken.at(-1)!.byteLength;
  }
  return taken;
}
