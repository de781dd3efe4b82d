import { type FileHandle, open, readFile, rename } from 'node:fs/promises';

/** Puts `pieces` into the file at `path`: after a kill at any moment it holds what it held before, or all of them. */
export async function writeDurably(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const handle = await open(`${path}.new`, 'w');
  try {
    for (const piece of pieces) await handle.writeFile(piece);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
}

/** A file of JSON lines that is only added to. What was added is there after a kill; of what was being added nothing may be. */
export class Journal<Entry extends object> {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open<Entry extends object>(path: string): Promise<Journal<Entry>> {
    const handle = await open(path, 'a');
    // The line that a kill cut short ends here.
    await handle.appendFile('\n');
    return new Journal(handle);
  }

  async add(...entries: readonly Entry[]): Promise<void> {
    await this.#handle.appendFile(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    await this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** The entries of the journal at `path`, but for those that were cut short. */
  static async read<Entry extends object>(path: string): Promise<Entry[]> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return text.split('\n').flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Entry];
      } catch {
        return [];
      }
    });
  }
}
