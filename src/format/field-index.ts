import { textFieldsMax } from '../core/limits.js';

/** Bytes of a key that belongs to nothing and is remembered all the same. */
const strangeKeyBytesMax = 256;

interface Entry<T> {
  readonly name: Buffer;
  readonly value: T | undefined;
  /** The entry of the key that came after this one the last time. */
  follower: Entry<T> | undefined;
}

/**
 * Finds what belongs to a key of an object, given as bytes. Objects of one file have their keys mostly in one order: the key
 * that came next the last time is compared first, byte by byte; any other costs a string.
 */
export class FieldIndex<T> {
  readonly #make: (name: string) => T | undefined;
  readonly #entries = new Map<string, Entry<T>>();
  #last: Entry<T> | undefined;

  /** @param make what belongs to a key that is new; undefined for nothing. */
  constructor(make: (name: string) => T | undefined) {
    this.#make = make;
  }

  /** What belongs to the key that is `bytes`, `from … to`; undefined for nothing. */
  find(bytes: Buffer, from: number, to: number): T | undefined {
    const guess = this.#last?.follower;
    const entry = guess !== undefined && isAt(guess.name, bytes, from, to) ? guess : this.#look(bytes, from, to);
    if (entry === undefined) return undefined;
    this.#last = entry;
    return entry.value;
  }

  #look(bytes: Buffer, from: number, to: number): Entry<T> | undefined {
    const name = bytes.toString('utf8', from, to);
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      const value = this.#make(name);
      const isForgotten = this.#entries.size >= textFieldsMax || to - from > strangeKeyBytesMax;
      if (value === undefined && isForgotten) return undefined;
      entry = { name: Buffer.from(name), value, follower: undefined };
      this.#entries.set(name, entry);
    }
    if (this.#last !== undefined) this.#last.follower = entry;
    return entry;
  }
}

function isAt(name: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[from + at]) return false;
  return true;
}
