import { Packr } from 'msgpackr';
import { checksum } from '../arrow/checksum.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { deriveSeed, uniqueId } from '../core/random.js';
import { sleep } from '../core/runtime.js';
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
  readonly #parse: (raw: unknown) => Entry;
  readonly #entries: Entry[] = [];
  #reading: Promise<void> = Promise.resolve();
  #endChecked = false;

  /** @param parse makes an entry of what was decoded; throws SpiralErrors for anything that is none. */
  constructor(store: ObjectStore, folder: string, parse: (raw: unknown) => Entry) {
    this.#store = store;
    this.#folder = folder;
    this.#parse = parse;
  }

  /** Where the log is, for messages. */
  get where(): string {
    return `${this.#store.uri}/${this.#folder}`;
  }

  /**
   * Every entry there is now; entry `n` at index `n - 1`. The array is the log's own: it grows, and is not to be changed.
   *
   * @throws SpiralError `corrupt_log` for an entry that is damaged or missing.
   */
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

  /**
   * Appends what `make` gives for the entries there are, asked anew whenever another writer was first, and gives its
   * number; undefined where `make` gives none.
   *
   * An answer that was lost is looked for: `isOwn` knows the entry again, so it is in the log once, however often it had
   * to be sent.
   *
   * @throws SpiralError what `make` throws; `unavailable` when others were first every time, and, with
   * `details.outcome` 'unknown', when the store stayed silent about an entry that it may have.
   */
  commit(
    isOwn: (entry: Entry) => boolean,
    make: (entries: readonly Entry[]) => Entry | undefined,
  ): Promise<number | undefined> {
    return inTurn(this.where, () => this.#commit(isOwn, make));
  }

  async #commit(
    isOwn: (entry: Entry) => boolean,
    make: (entries: readonly Entry[]) => Entry | undefined,
  ): Promise<number | undefined> {
    const label = uniqueId('');
    let silent: { readonly error: unknown; readonly count: number } | undefined;
    for (let tries = 0; tries < triesMax; tries++) {
      if (tries > 0) await backoff(label, tries);
      try {
        const entries = await this.entries();
        const own = entries.findLastIndex(isOwn);
        if (own >= 0) return own + 1;
        if (silent !== undefined && !isSpiralError(silent.error, 'unavailable')) throw silent.error;
        const entry = make(entries);
        if (entry === undefined) return undefined;
        const version = entries.length + 1;
        const bytes = encodeEntry(entry);
        const kept = this.#decode(version, bytes);
        try {
          if (await this.#append(version, kept, bytes)) return version;
        } catch (error) {
          silent = { error, count: (silent?.count ?? 0) + 1 };
        }
      } catch (error) {
        if (silent === undefined || error === silent.error || !isSpiralError(error, 'unavailable')) throw error;
        silent = { ...silent, count: silent.count + 1 };
      }
      if (silent !== undefined && silent.count >= silencesMax) throw this.#outcomeUnknown(silent.error);
    }
    throw new SpiralError(
      'unavailable',
      `Expected to append to ${this.where} within ${triesMax} tries, but other writers won every one. Try again.`,
      { details: { log: this.where, tries: triesMax } },
    );
  }

  /** Writes `entry` as number `version`; false where another entry has that number. */
  async #append(version: number, entry: Entry, bytes: Uint8Array): Promise<boolean> {
    if (!(await this.#store.putIfAbsent(this.#path(version), bytes))) return false;
    // What was just written need not be read again; in its turn, as a reader may be at it.
    this.#reading = this.#reading.then(() => {
      if (this.#entries.length === version - 1) this.#entries.push(entry);
    });
    await this.#reading;
    if (version % hintEvery === 0) await this.#hint(version);
    return true;
  }

  async #catchUp(): Promise<void> {
    if (this.#entries.length === 0) await this.#readTo(await this.#hinted());
    await this.#probe();
    if (this.#endChecked) return;
    const behind = await this.#entryBehindEnd();
    if (behind !== undefined) {
      // It may have come just now; then all before it is there as well.
      await this.#probe();
      const next = this.#entries.length + 1;
      if (next <= behind) throw this.#damaged(next, `an entry, as ${behind} is there`, 'none');
    }
    this.#endChecked = true;
  }

  async #probe(): Promise<void> {
    // Who finds one finds more: beside many writers a log is far behind.
    for (let ahead = 1; ; ahead = Math.min(readAtOnce, 2 * ahead)) {
      const first = this.#entries.length + 1;
      const read = await Promise.all(Array.from({ length: ahead }, (_, at) => this.#read(first + at)));
      for (const entry of read) {
        if (entry === undefined) return;
        this.#entries.push(entry);
      }
    }
  }

  /** The number of an entry further on, which a log that lost one has: asked once, and of the same hundred alone. */
  async #entryBehindEnd(): Promise<number | undefined> {
    const next = this.#path(this.#entries.length + 1);
    for await (const { path } of this.#store.list(next.slice(0, -2))) {
      if (path > next && path.length === next.length) return Number(path.slice(this.#folder.length + 1));
    }
    return undefined;
  }

  async #readTo(version: number): Promise<void> {
    for (let next = this.#entries.length + 1; next <= version; next += readAtOnce) {
      const count = Math.min(readAtOnce, version - next + 1);
      const read = await Promise.all(Array.from({ length: count }, (_, at) => this.#read(next + at)));
      for (const [at, entry] of read.entries()) {
        if (entry === undefined) {
          throw this.#damaged(next + at, `an entry, as the file 'hint' beside it tells of ${version}`, 'none');
        }
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
    if (stored !== found) throw this.#damaged(version, `a log entry with checksum ${stored}`, `checksum ${found}`);
    if (view.getUint32(4, true) !== layoutVersion) {
      throw new SpiralError(
        'unsupported',
        `Expected ${this.where} to have entries of layout ${layoutVersion}, found layout ${view.getUint32(4, true)}. ` +
          'It was written by a newer spiral-loader: update this one.',
        { details: { log: this.where, version } },
      );
    }
    try {
      return this.#parse(packr.unpack(body));
    } catch (error) {
      if (isSpiralError(error, 'path_outside_root')) throw this.#leadsOutside(version, error);
      const found = isSpiralError(error) ? error.message.replace(/\.$/, '') : 'something that cannot be decoded';
      throw this.#damaged(version, 'a log entry', found, error);
    }
  }

  /** How far the log reached when the hint was written; 0 where there is none that can be read. */
  async #hinted(): Promise<number> {
    try {
      const text = Buffer.from(await this.#store.get(`${this.#folder}/hint`)).toString('latin1');
      return /^\d{1,15}$/.test(text) ? Number(text) : 0;
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

  #damaged(version: number, expected: string, found: string, cause?: unknown): SpiralError {
    const file = `${this.#store.uri}/${this.#path(version)}`;
    return new SpiralError(
      'corrupt_log',
      `Expected ${file} to be ${expected}, found ${found}. Restore the file from a copy: nothing behind it can be read.`,
      { details: { file, version, expected, found }, cause },
    );
  }

  #leadsOutside(version: number, cause: SpiralError): SpiralError {
    const file = `${this.#store.uri}/${this.#path(version)}`;
    return new SpiralError(
      'path_outside_root',
      `Expected ${file} to name files below its table's root. ${cause.message} Trust nothing in this table.`,
      { details: { ...cause.details, file, version }, cause },
    );
  }

  #outcomeUnknown(cause: unknown): SpiralError {
    return new SpiralError(
      'unavailable',
      `Expected ${this.where} to take an entry, but the store failed ${silencesMax} times, so whether the entry is there ` +
        'cannot be told. Look before you write it again.',
      { details: { log: this.where, outcome: 'unknown' }, cause },
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
/** Tries at one entry before giving up: with full jitter 64 writers need some twenty. */
const triesMax = 1000;
/** Failures of the store that are borne once an entry was sent, to learn what became of it. */
const silencesMax = 6;
const backoffMsMax = 50;

/** The last commit of this process to each log. */
const turns = new Map<string, Promise<unknown>>();

/** Runs `work` once those before it at `where` have ended: writers of one process need not race each other. */
function inTurn<T>(where: string, work: () => Promise<T>): Promise<T> {
  const done = (turns.get(where) ?? Promise.resolve()).then(work, work);
  const turn = done
    .catch(() => {})
    .then(() => {
      if (turns.get(where) === turn) turns.delete(where);
    });
  turns.set(where, turn);
  return done;
}

/** Full jitter: of writers that met once, few meet again. */
function backoff(label: string, tries: number): Promise<void> {
  const share = deriveSeed('backoff', label, tries) / 2 ** 32;
  return sleep(share * Math.min(backoffMsMax, 2 ** Math.min(tries, 10)));
}

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
