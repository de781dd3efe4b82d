import { Packr } from 'msgpackr';
import { checksum } from '../arrow/checksum.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';

/**
 * An append-only log of numbered entries in a store, one object an entry: entry `n` is there or not, and of all who try
 * to write it one wins (laws 16 and 17). Entries are framed with a mark, a version and a CRC-32.
 *
 * Reading goes on from what was read before; a hint, which may be old or missing, tells how far one may read at once.
 */
export class Log<Entry> {
  readonly #store: ObjectStore;
  readonly #folder: string;
  readonly #entries: Entry[] = [];
  #reading: Promise<void> = Promise.resolve();

  constructor(store: ObjectStore, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /** Where the log is, for messages. */
  get where(): string {
    return `${this.#store.uri}/${this.#folder}`;
  }

  /** Every entry there is now; entry `n` at index `n - 1`. The array is the log's own: it grows, and is not to be changed. */
  async entries(): Promise<readonly Entry[]> {
    // One reader at a time, so that each entry is read once however many ask.
    const reading = this.#reading.then(() => this.#catchUp());
    this.#reading = reading.catch(() => {});
    await reading;
    return this.#entries;
  }

  /**
   * The entries up to `version`, without looking for newer ones.
   *
   * @throws SpiralError `version_not_found` when the log does not reach so far.
   */
  async entriesUpTo(version: number): Promise<readonly Entry[]> {
    if (this.#entries.length < version) await this.entries();
    if (this.#entries.length < version) {
      throw new SpiralError(
        'version_not_found',
        `Expected ${this.where} to have version ${version}, found ${this.#entries.length} versions.`,
        { details: { log: this.where, version, newest: this.#entries.length } },
      );
    }
    return this.#entries.slice(0, version);
  }

  /** Writes `entry` as number `version`; false where another entry has that number. */
  async append(version: number, entry: Entry): Promise<boolean> {
    const won = await this.#store.putIfAbsent(this.#path(version), encodeEntry(entry));
    if (won && version % hintEvery === 0) await this.#hint(version);
    return won;
  }

  async #catchUp(): Promise<void> {
    if (this.#entries.length === 0) await this.#readTo(await this.#hinted());
    for (;;) {
      const entry = await this.#read(this.#entries.length + 1);
      if (entry === undefined) return;
      this.#entries.push(entry);
    }
  }

  async #readTo(version: number): Promise<void> {
    for (let next = this.#entries.length + 1; next <= version; next += readAtOnce) {
      const count = Math.min(readAtOnce, version - next + 1);
      const read = await Promise.all(Array.from({ length: count }, (_, at) => this.#read(next + at)));
      for (const [at, entry] of read.entries()) {
        if (entry === undefined) throw this.#damaged(next + at, 'an entry, as later ones are there', 'none');
        this.#entries.push(entry);
      }
    }
  }

  async #read(version: number): Promise<Entry | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.get(this.#path(version));
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return undefined;
      throw error;
    }
    return this.#decode(version, bytes);
  }

  #decode(version: number, bytes: Uint8Array): Entry {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.byteLength < headerBytes || view.getUint32(0, true) !== mark) {
      throw this.#damaged(version, 'a log entry', `${bytes.byteLength} bytes of something else`);
    }
    const body = bytes.subarray(headerBytes);
    const [stored, found] = [view.getUint32(8, true), checksum(body, checksum(bytes.subarray(0, 8)))];
    if (stored !== found) throw this.#damaged(version, `checksum ${stored}`, `checksum ${found}`);
    if (view.getUint32(4, true) !== layoutVersion) {
      throw new SpiralError(
        'unsupported',
        `Expected ${this.where} to have entries of layout ${layoutVersion}, found layout ${view.getUint32(4, true)}. ` +
          'It was written by a newer spiral-loader: update this one.',
        { details: { log: this.where, version } },
      );
    }
    return packr.unpack(body) as Entry;
  }

  /** How far the log reached when the hint was written; 0 where there is none that can be read. */
  async #hinted(): Promise<number> {
    try {
      const version = Number(Buffer.from(await this.#store.get(`${this.#folder}/hint`)).toString('latin1'));
      return Number.isSafeInteger(version) && version > 0 ? version : 0;
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return 0;
      throw error;
    }
  }

  async #hint(version: number): Promise<void> {
    try {
      await this.#store.put(`${this.#folder}/hint`, new TextEncoder().encode(String(version)));
    } catch {
      // The entry is written, which is all that was promised: a reader without the hint probes from an older one.
    }
  }

  #path(version: number): string {
    return `${this.#folder}/${String(version).padStart(20, '0')}`;
  }

  #damaged(version: number, expected: string, found: string): SpiralError {
    const file = `${this.#store.uri}/${this.#path(version)}`;
    return new SpiralError(
      'corrupt_log',
      `Expected ${file} to be ${expected}, found ${found}. Restore the file from a copy: nothing behind it can be read.`,
      { details: { file, version, expected, found } },
    );
  }
}

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });
const mark = 0x474c5053; // 'SPLG', little-endian
const layoutVersion = 1;
const headerBytes = 12;
/** Entries between two hints: a reader probes at most this many one by one. */
const hintEvery = 16;
/** Entries read side by side. */
const readAtOnce = 16;

function encodeEntry(entry: unknown): Uint8Array {
  const body = packr.pack(entry);
  const bytes = new Uint8Array(headerBytes + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, mark, true);
  view.setUint32(4, layoutVersion, true);
  bytes.set(body, headerBytes);
  view.setUint32(8, checksum(body, checksum(bytes.subarray(0, 8))), true);
  return bytes;
}
