import { isSpiralError, SpiralError } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';
import { backoff } from './backoff.js';
import { decodeFrame, encodeFrame, type FrameKind } from './frame.js';
import { inTurn } from './turns.js';

/** What the file `hint` tells, all of which may be old: 0 where it tells nothing. */
export interface LogHint {
  /** The newest entry. */
  readonly reached: number;
  /** An entry up to which all is summed up elsewhere. */
  readonly summed: number;
}

/** What a log needs to know whose first entries are summed up elsewhere, and may be gone. */
export interface LogCut {
  /**
   * The entries that need not be read, as their sum is known. `again` counts how often the log was begun before, as the
   * entries it was begun behind turned out to be gone.
   *
   * @throws SpiralError `corrupt_log` where entries are gone and no sum of them can be read.
   */
  begin(hint: LogHint, again: number): Promise<number>;
  /** The number of the first entry that must be there; 0 while none is gone. */
  floor(): Promise<number>;
}

/** Entries `base + 1` and on. */
export interface LogTail<Entry> {
  readonly base: number;
  /** The log's own: it grows, and is not to be changed. */
  readonly entries: readonly Entry[];
}

/**
 * An append-only log of numbered entries in a store, one object an entry: entry `n` is there or not, and of all who try
 * to write it one wins (laws 16 and 17). Entries are framed with a mark, a version and a CRC-32.
 *
 * Reading goes on from what was read before; a hint, which may be old or missing, tells how far one may read at once.
 */
export class Log<Entry> {
  readonly #store: ObjectStore;
  /** Where the entries are in the store. */
  readonly folder: string;
  readonly #parse: (raw: unknown) => Entry;
  readonly #cut: LogCut | undefined;
  /** Entry `n` at `n - 1 - base`. */
  #entries: Entry[] = [];
  #base = 0;
  #begun = false;
  #beginnings = 0;
  #summed = 0;
  #reading: Promise<void> = Promise.resolve();
  #endChecked = false;

  /** @param parse makes an entry of what was decoded; throws SpiralErrors for anything that is none. */
  constructor(store: ObjectStore, folder: string, parse: (raw: unknown) => Entry, cut?: LogCut) {
    this.#store = store;
    this.#cut = cut;
    this.folder = folder;
    this.#parse = parse;
  }

  /** Where the log is, for messages. */
  get where(): string {
    return `${this.#store.uri}/${this.folder}`;
  }

  /**
   * Every entry there is now, of a log that is not cut; entry `n` at index `n - 1`.
   *
   * @throws SpiralError `corrupt_log` for an entry that is damaged or missing.
   */
  async entries(): Promise<readonly Entry[]> {
    return (await this.tail()).entries;
  }

  /** Every entry there is now behind what was passed over. @throws SpiralError as {@link entries}, and as the cut. */
  async tail(): Promise<LogTail<Entry>> {
    // One reader at a time, so that each entry is read once however many ask.
    const reading = this.#reading.then(() => this.#catchUp());
    this.#reading = reading.catch(() => {});
    await reading;
    return { base: this.#base, entries: this.#entries };
  }

  /**
   * The entries up to `version`, without looking for newer ones; undefined where that lies before them.
   *
   * @throws SpiralError `version_not_found` when the log does not reach so far.
   */
  async tailUpTo(version: number): Promise<LogTail<Entry> | undefined> {
    if (!this.#begun || this.#newest < version) await this.tail();
    if (this.#newest < version) {
      throw new SpiralError(
        'version_not_found',
        `Expected ${this.where} to have version ${version}, found ${this.#newest} versions.`,
        { details: { log: this.where, version, newest: this.#newest } },
      );
    }
    if (version < this.#base) return undefined;
    return { base: this.#base, entries: this.#entries.slice(0, version - this.#base) };
  }

  /**
   * Entries `from … to`, read anew.
   *
   * @throws SpiralError `corrupt_log` for one that is damaged or missing.
   */
  async read(from: number, to: number): Promise<Entry[]> {
    const read: Entry[] = [];
    for (let next = from; next <= to; next += readAtOnce) {
      const count = Math.min(readAtOnce, to - next + 1);
      const found = await Promise.all(Array.from({ length: count }, (_, at) => this.#read(next + at)));
      for (const [at, entry] of found.entries()) {
        if (entry === undefined) throw this.#damaged(next + at, `an entry, as ${to} is there`, 'none');
        read.push(entry);
      }
    }
    return read;
  }

  /** Lets go of the entries up to `version`, for which the caller has what they lead to. */
  forget(version: number): void {
    if (version <= this.#base || version > this.#newest) return;
    // A copy: who was given the entries before still has them.
    this.#entries = this.#entries.slice(version - this.#base);
    this.#base = version;
  }

  /** Remembers, in the hint as well, that all up to entry `summed` is summed up elsewhere. */
  async sumUp(summed: number): Promise<void> {
    this.#summed = Math.max(this.#summed, summed);
    await this.#hint(Math.max(this.#newest, summed));
  }

  /** Where an entry's file is in the store. */
  path(version: number): string {
    return `${this.folder}/${String(version).padStart(20, '0')}`;
  }

  /**
   * Appends what `make` gives for the entries there are, asked anew whenever another writer was first, and gives its
   * number; undefined where `make` gives none.
   *
   * An answer that was lost is looked for: `isOwn` knows the entry again, so it is in the log once, however often it had
   * to be sent.
   *
   * @param make is given all entries, of a log that is cut those behind `base`.
   * @param behind the number of an entry that was there before what `isOwn` knows was made: none up to there is looked at.
   * @throws SpiralError what `make` throws; `unavailable` when others were first every time, and, with
   * `details.outcome` 'unknown', when the store stayed silent about an entry that it may have.
   */
  commit(
    isOwn: (entry: Entry) => boolean,
    make: (entries: readonly Entry[], base: number) => Entry | undefined,
    behind = 0,
  ): Promise<number | undefined> {
    return inTurn(this.where, () => this.#commit(isOwn, make, behind));
  }

  async #commit(
    isOwn: (entry: Entry) => boolean,
    make: (entries: readonly Entry[], base: number) => Entry | undefined,
    behind: number,
  ): Promise<number | undefined> {
    const label = uniqueId('');
    let silent: { readonly error: unknown; readonly count: number; readonly version: number } | undefined;
    for (let tries = 0; tries < triesMax; tries++) {
      if (tries > 0) await backoff(label, tries);
      try {
        const { base, entries } = await this.tail();
        for (let version = base + entries.length; version > Math.max(base, behind); version--) {
          if (isOwn(entries[version - base - 1]!)) return version;
        }
        // What was sent may lie among entries that are gone by now.
        if (silent !== undefined && silent.version <= base) throw this.#outcomeUnknown(silent.error);
        if (silent !== undefined && !isSpiralError(silent.error, 'unavailable')) throw silent.error;
        const entry = make(entries, base);
        if (entry === undefined) return undefined;
        const version = base + entries.length + 1;
        const bytes = encodeFrame(entryFrame, entry);
        const kept = this.#decode(version, bytes);
        try {
          if (await this.#append(version, kept, bytes)) return version;
        } catch (error) {
          silent = { error, count: (silent?.count ?? 0) + 1, version: silent?.version ?? version };
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

  /** Writes `entry` as number `version`; false where another entry has that number, or had it. */
  async #append(version: number, entry: Entry, bytes: Uint8Array): Promise<boolean> {
    if (!(await this.#store.putIfAbsent(this.path(version), bytes))) return false;
    if (this.#cut !== undefined && (await this.#cut.floor()) > version) {
      // The number was free because its entry is gone: this writer had slept for long. No reader looks below the floor.
      await this.#store.delete(this.path(version));
      return false;
    }
    // What was just written need not be read again; in its turn, as a reader may be at it.
    this.#reading = this.#reading.then(() => {
      if (this.#newest === version - 1) this.#entries.push(entry);
    });
    await this.#reading;
    if (version % hintEvery === 0) await this.#hint(version);
    return true;
  }

  get #newest(): number {
    return this.#base + this.#entries.length;
  }

  async #catchUp(): Promise<void> {
    for (let again = 0; ; again++) {
      const missing = await this.#reachEnd();
      const floor = (await this.#cut?.floor()) ?? 0;
      // The floor's own entry is there, so an end before it is none: entries behind it are gone.
      if (this.#newest >= floor) {
        if (missing === undefined) return;
        throw missing;
      }
      if (again === beginningsMax) throw this.#damaged(floor, 'an entry, which vacuum kept', 'none');
      this.#begun = false;
    }
  }

  /** Reads all that follows; gives the error for an entry that is missing while a later one is there. */
  async #reachEnd(): Promise<SpiralError | undefined> {
    if (!this.#begun) {
      const missing = await this.#begin();
      if (missing !== undefined) return missing;
    }
    await this.#probe();
    if (this.#endChecked) return undefined;
    const behind = await this.#entryBehindEnd();
    if (behind !== undefined) {
      // It may have come just now; then all before it is there as well.
      await this.#probe();
      const next = this.#newest + 1;
      if (next <= behind) return this.#damaged(next, `an entry, as ${behind} is there`, 'none');
    }
    this.#endChecked = true;
    return undefined;
  }

  async #begin(): Promise<SpiralError | undefined> {
    const hint = await this.#hinted();
    this.#base = (await this.#cut?.begin(hint, this.#beginnings++)) ?? 0;
    this.#entries = [];
    this.#summed = Math.max(this.#summed, this.#base);
    this.#begun = true;
    while (this.#newest < hint.reached) {
      const first = this.#newest + 1;
      const count = Math.min(readAtOnce, hint.reached - this.#newest);
      const read = await Promise.all(Array.from({ length: count }, (_, at) => this.#read(first + at)));
      for (const [at, entry] of read.entries()) {
        if (entry === undefined) {
          this.#begun = false;
          return this.#damaged(first + at, `an entry, as the file 'hint' beside it tells of ${hint.reached}`, 'none');
        }
        this.#entries.push(entry);
      }
    }
    return undefined;
  }

  async #probe(): Promise<void> {
    // Who finds one finds more: beside many writers a log is far behind.
    for (let ahead = 1; ; ahead = Math.min(readAtOnce, 2 * ahead)) {
      const first = this.#newest + 1;
      const read = await Promise.all(Array.from({ length: ahead }, (_, at) => this.#read(first + at)));
      for (const entry of read) {
        if (entry === undefined) return;
        this.#entries.push(entry);
      }
    }
  }

  /** The number of an entry further on, which a log that lost some has: looked for once. */
  async #entryBehindEnd(): Promise<number | undefined> {
    const ahead = aheadOfEnd.map((step) => this.#newest + step);
    const found = await Promise.all(ahead.map((version) => this.#store.head(this.path(version))));
    return ahead.findLast((_, at) => found[at] !== undefined);
  }

  async #read(version: number): Promise<Entry | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.get(this.path(version));
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return undefined;
      throw error;
    }
    return this.#decode(version, bytes);
  }

  #decode(version: number, bytes: Uint8Array): Entry {
    let raw: unknown;
    try {
      raw = decodeFrame(entryFrame, bytes);
    } catch (error) {
      if (!isSpiralError(error, 'unsupported')) throw this.#unreadable(version, error);
      throw new SpiralError(
        'unsupported',
        `Expected the entries of ${this.where} to be of a layout that this release knows, found ${error.message}. It was ` +
          'written by a newer spiral-loader: update this one.',
        { details: { log: this.where, version } },
      );
    }
    try {
      return this.#parse(raw);
    } catch (error) {
      if (isSpiralError(error, 'path_outside_root')) throw this.#leadsOutside(version, error);
      throw this.#unreadable(version, error);
    }
  }

  #unreadable(version: number, error: unknown): SpiralError {
    const found = isSpiralError(error) ? error.message.replace(/\.$/, '') : 'something that cannot be decoded';
    return this.#damaged(version, entryFrame.what, found, error);
  }

  /** What the hint tells; zeros where there is none that can be read. */
  async #hinted(): Promise<LogHint> {
    try {
      const text = Buffer.from(await this.#store.get(`${this.folder}/hint`)).toString('latin1');
      const [, reached = '0', summed = '0'] = /^(\d{1,15})(?: (\d{1,15}))?$/.exec(text) ?? [];
      return { reached: Number(reached), summed: Number(summed) };
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return { reached: 0, summed: 0 };
      throw error;
    }
  }

  async #hint(version: number): Promise<void> {
    const text = this.#summed === 0 ? `${version}` : `${version} ${this.#summed}`;
    try {
      await this.#store.put(`${this.folder}/hint`, new TextEncoder().encode(text));
    } catch {
      // The entry is written, which is all that was promised: a reader without the hint probes from an older one.
    }
  }

  #damaged(version: number, expected: string, found: string, cause?: unknown): SpiralError {
    const file = `${this.#store.uri}/${this.path(version)}`;
    return new SpiralError(
      'corrupt_log',
      `Expected ${file} to be ${expected}, found ${found}. Restore the file from a copy: nothing behind it can be read.`,
      { details: { file, version, expected, found }, cause },
    );
  }

  #leadsOutside(version: number, cause: SpiralError): SpiralError {
    const file = `${this.#store.uri}/${this.path(version)}`;
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

const entryFrame: FrameKind = { mark: 0x474c5053, layout: 1, what: 'a log entry' }; // 'SPLG'
/** Times a log is begun anew in one reading, because vacuum was at it. */
const beginningsMax = 3;
/** Where entries are looked for behind an end: what follows 16 lost ones is found by the hint. */
const aheadOfEnd = [2, 3, 5, 9, 16];
/** Entries between two hints: a reader probes at most this many one by one. */
const hintEvery = 16;
/** Entries read side by side. */
const readAtOnce = 16;
/** Tries at one entry before giving up: with full jitter 64 writers need some twenty. */
const triesMax = 1000;
/** Failures of the store that are borne once an entry was sent, to learn what became of it. */
const silencesMax = 6;
