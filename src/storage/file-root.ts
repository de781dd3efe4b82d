import { realpathSync } from 'node:fs';
import { mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SpiralError, shown } from '../core/errors.js';
import { systemCode } from './file-errors.js';
import { quickCalls } from './quick-calls.js';

/**
 * The folder that a file store lives in: turns paths that `checkPath` took into places, and lets no symbolic link lead
 * out of it. The folder itself may be reached through links, and need not exist.
 */
export class FileRoot {
  /** Absolute. */
  readonly folder: string;
  readonly uri: string;
  /** Whether what was written has to be on the disk before it is told. */
  readonly isDurable: boolean;
  #real: string | undefined;
  /** What was last asked for, and where it stands: of most files many ranges are read in turn. */
  #path: string | undefined;
  #place = '';

  constructor(folder: string, isDurable: boolean) {
    this.folder = folder;
    this.isDurable = isDurable;
    this.uri = pathToFileURL(folder).href.replace(/(?<!\/)\/$/, '');
  }

  /** Where `path` ('' is the root) stands, links unresolved: the name of the object in this process. */
  place(path: string): string {
    if (path !== this.#path) {
      this.#path = path;
      this.#place = join(this.folder, path);
    }
    return this.#place;
  }

  /**
   * Where `path` stands, links resolved.
   *
   * @throws SpiralError `path_outside_root`; system errors, ENOENT among them.
   */
  async resolve(path: string): Promise<string> {
    const real = await realPlace(this.place(path));
    if (this.#real !== undefined && within(this.#real, real)) return real;
    this.#real = await realPlace(this.folder);
    if (within(this.#real, real)) return real;
    throw new SpiralError(
      'path_outside_root',
      `Expected ${shown(path)} to lie in ${this.uri}, found a link that leads to ${shown(real)}. Put a copy in its place, or open a store at the folder it leads to.`,
      { details: { path, uri: this.uri, found: real } },
    );
  }

  /** As `resolve`, for a folder, which is made where it is missing, with all above it. */
  async makeFolder(path: string): Promise<string> {
    try {
      return await this.resolve(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    // The folder above is made and checked first, so that nothing is ever made behind a link that leads outside.
    if (path !== '') await this.makeFolder(folderOf(path));
    if (this.isDurable) await makeDurably(this.place(path));
    else await mkdir(this.place(path), { recursive: true });
    return this.resolve(path);
  }

  /** Makes the names in `folder`, a place of this root, durable where they have to be. Windows cannot, and keeps them without. */
  async sync(folder: string): Promise<void> {
    if (this.isDurable) await syncFolder(folder);
  }
}

/** The folder part of a path: 'a/b' of 'a/b/c', '' of 'c'. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function makeDurably(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeDurably(dirname(folder));
    return makeDurably(folder);
  }
  await syncFolder(dirname(folder));
}

async function realPlace(place: string): Promise<string> {
  return quickCalls.try(() => realpathSync.native(place)) ?? realpath(place);
}

function within(root: string, real: string): boolean {
  return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
}
