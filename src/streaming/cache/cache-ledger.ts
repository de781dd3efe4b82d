import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

/** What is known of the files of a shard in a cache folder. */
export interface LedgerEntry {
  /** 'found': there, by their names alone; 'checked': whole when their sizes and times were as `print` says. */
  readonly state: 'absent' | 'found' | 'checked';
  readonly bytes: number;
  /** Of sizes and times of the files, when they were checked. */
  readonly print: number;
  /** Counts up with every use of any shard. */
  readonly used: number;
}

/** What the ledger is of: it is made anew for anything else. */
export interface LedgerSubject {
  readonly count: number;
  readonly identity: string;
  /** Files that were checked before the machine went down may not have reached the disk. */
  readonly boot: string;
}

const headWords = 8;
const slotWords = 4;
const magic = 0x5350_4943; // 'SPIC'
const version = 1;
const states = ['absent', 'found', 'checked'] as const;

/** Words of the head. */
const at = { magic: 0, version: 1, count: 2, identity: 3, boot: 4, otherBytes: 5, clock: 6, generation: 7 };

/**
 * The file in which all members of a cache folder note what is there: 64 bytes, and 32 a shard, all float64. Each change is
 * one write of the system, so a process that is killed leaves none half made. Written with the lock held; the generation
 * may be read without.
 */
export class CacheLedger {
  readonly #file: number;
  readonly #subject: LedgerSubject;
  readonly #one: Float64Array = new Float64Array(1);
  readonly #slot: Float64Array = new Float64Array(slotWords);
  #isClosed = false;
  #slots: Float64Array = new Float64Array(0);

  constructor(path: string, subject: LedgerSubject) {
    this.#file = openSync(path, 'a+');
    closeSync(this.#file);
    this.#file = openSync(path, 'r+');
    this.#subject = subject;
  }

  /** 'same': of this subject. 'again': of it, but from before a restart of the machine. 'other': of another, or none. */
  standing(): 'same' | 'again' | 'other' | 'none' {
    const head = new Float64Array(headWords);
    if (this.#read(head, 0) < head.byteLength) return 'none';
    if (head[at.magic] !== magic || head[at.version] !== version) return 'other';
    const { count, identity, boot } = this.#subject;
    if (head[at.count] !== count || head[at.identity] !== printOf(identity)) return 'other';
    return head[at.boot] === printOf(boot) ? 'same' : 'again';
  }

  /** Begins anew with these files. The head is written last: before it, the ledger is of no subject. */
  begin(found: ReadonlyMap<number, number>, otherBytes: number): void {
    const { count, identity, boot } = this.#subject;
    const generation = this.generation();
    ftruncateSync(this.#file, 0);
    const slots = new Float64Array(count * slotWords);
    for (const [shard, bytes] of found) slots.set([1, bytes, 0, 0], shard * slotWords);
    if (count > 0) this.#write(slots, 8 * headWords);
    const head = new Float64Array(headWords);
    head.set([magic, version, count, printOf(identity), printOf(boot), otherBytes, 1, generation + 1]);
    this.#write(head, 0);
  }

  /** Bytes of files in the folder that are of no shard, when the ledger began. */
  otherBytes(): number {
    return this.#word(at.otherBytes);
  }

  entry(shard: number): LedgerEntry {
    this.#read(this.#slot, 8 * (headWords + shard * slotWords));
    return entryOf(this.#slot, 0);
  }

  set(shard: number, { state, bytes, print, used }: LedgerEntry): void {
    this.#slot.set([states.indexOf(state), bytes, print, used]);
    this.#write(this.#slot, 8 * (headWords + shard * slotWords));
  }

  /** The shards that are there, in order. */
  *present(): Generator<{ readonly shard: number } & LedgerEntry> {
    const words = this.#subject.count * slotWords;
    if (this.#slots.length !== words) this.#slots = new Float64Array(words);
    // A copy is read at once; what follows does not wait, so nothing can change below it but by this member itself.
    if (words > 0) this.#read(this.#slots, 8 * headWords);
    for (let word = 0; word < words; word += slotWords) {
      if (this.#slots[word] !== 0) yield { shard: word / slotWords, ...entryOf(this.#slots, word) };
    }
  }

  /** The next of a row of numbers that never repeats. */
  tick(): number {
    const next = this.#word(at.clock) + 1;
    this.#set(at.clock, next);
    return next;
  }

  /** Changes with every change that others may wait for. */
  generation(): number {
    return this.#word(at.generation);
  }

  /** Tells all members that something changed. */
  bump(): void {
    this.#set(at.generation, this.generation() + 1);
  }

  /** Nothing is read or written any more: the number of the file may be another's by then. */
  close(): void {
    if (!this.#isClosed) closeSync(this.#file);
    this.#isClosed = true;
  }

  #word(word: number): number {
    return this.#read(this.#one, 8 * word) < 8 ? 0 : this.#one[0]!;
  }

  #set(word: number, value: number): void {
    this.#one[0] = value;
    this.#write(this.#one, 8 * word);
  }

  #read(into: Float64Array, from: number): number {
    const bytes = new Uint8Array(into.buffer);
    bytes.fill(0);
    let done = 0;
    while (!this.#isClosed && done < bytes.length) {
      const found = readSync(this.#file, bytes, done, bytes.length - done, from + done);
      if (found === 0) break;
      done += found;
    }
    return done;
  }

  #write(words: Float64Array, to: number): void {
    const bytes = new Uint8Array(words.buffer);
    for (let done = 0; !this.#isClosed && done < bytes.length; ) {
      done += writeSync(this.#file, bytes, done, bytes.length - done, to + done);
    }
  }
}

/** A whole number below 2 ** 48 that stands for `text`. */
export function printOf(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}

function entryOf(words: Float64Array, from: number): LedgerEntry {
  const [state, bytes, print, used] = [words[from]!, words[from + 1]!, words[from + 2]!, words[from + 3]!];
  return { state: states[state] ?? 'found', bytes, print, used };
}
