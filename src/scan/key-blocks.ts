import { keyBlockBytesMax, readConcurrency } from '../core/limits.js';
import { Semaphore } from '../core/semaphore.js';
import { pathText } from '../table/column.js';
import { type EncodedKeys, encodeKeys, keyAt } from '../table/key-codec.js';
import { compareKeys, lowerBound } from '../table/key-compare.js';
import { type Part, stretchEnd } from './part.js';
import { readPart } from './part-reader.js';
import type { PartReading } from './set-reader.js';

/** Where rows are: row `row[i]` of part number `part[i]`; -1 where there is none. */
export interface FoundRows {
  readonly part: Int32Array;
  readonly row: Int32Array;
}

/** Keys of a record batch or a piece of merged rows. */
interface Block {
  readonly keys: Promise<EncodedKeys>;
  bytes: number;
}

/**
 * Finds rows by their keys: by what the log tells of keys it is known which record batch or piece may have one, and only of
 * these the keys are read. Those read last are kept, up to {@link keyBlockBytesMax}.
 */
export class KeyBlocks {
  readonly #reading: PartReading;
  readonly #parts: readonly Part[];
  readonly #names: readonly string[];
  readonly #reads = new Semaphore(readConcurrency);
  /** The least recently used first. */
  readonly #blocks = new Map<string, Block>();
  #bytes = 0;

  /** `reading` is of the key columns; `parts` are in the order of their keys. */
  constructor(reading: PartReading, parts: readonly Part[]) {
    this.#reading = reading;
    this.#parts = parts;
    this.#names = reading.plan.keys.map(({ path }) => pathText(path));
  }

  /** Where the rows with `keys` are, in whatever order these come. */
  async find(keys: EncodedKeys, signal?: AbortSignal): Promise<FoundRows> {
    const found: FoundRows = { part: new Int32Array(keys.length).fill(-1), row: new Int32Array(keys.length) };
    const wanted = new Map<string, { part: number; block: number; rows: number[] }>();
    for (let at = 0; at < keys.length; at++) {
      const key = keyAt(keys, at);
      const part = partOf(this.#parts, key);
      if (part < 0) continue;
      const block = blockOf(this.#parts[part]!, key);
      const name = `${part} ${block}`;
      const group = wanted.get(name);
      if (group === undefined) wanted.set(name, { part, block, rows: [at] });
      else group.rows.push(at);
    }
    await Promise.all(
      Array.from(wanted, ([name, { part, block, rows }]) =>
        this.#reads.run(async () => {
          const start = blockStart(this.#parts[part]!, block);
          const own = await this.#keysOf(name, this.#parts[part]!, start, signal);
          for (const at of rows) {
            const key = keyAt(keys, at);
            const place = lowerBound(own, key);
            if (place === own.length || compareKeys(keyAt(own, place), key) !== 0) continue;
            found.part[at] = part;
            found.row[at] = start + place;
          }
        }),
      ),
    );
    return found;
  }

  #keysOf(name: string, part: Part, start: number, signal: AbortSignal | undefined): Promise<EncodedKeys> {
    let block = this.#blocks.get(name);
    if (block === undefined) {
      const made: Block = { keys: this.#read(part, start, signal), bytes: 0 };
      made.keys.then(
        ({ bytes, offsets }) => this.#keep(made, bytes.byteLength + offsets.byteLength),
        () => this.#blocks.delete(name),
      );
      block = made;
    } else this.#blocks.delete(name);
    this.#blocks.set(name, block);
    return block.keys;
  }

  async #read(part: Part, start: number, signal: AbortSignal | undefined): Promise<EncodedKeys> {
    const columns = await readPart(this.#reading, part, start, stretchEnd(part, start), { signal });
    return encodeKeys(columns, this.#names);
  }

  #keep(block: Block, bytes: number): void {
    block.bytes = bytes;
    this.#bytes += bytes;
    for (const [name, { bytes: own }] of this.#blocks) {
      if (this.#bytes <= keyBlockBytesMax) return;
      // What is still being read has no size yet, and somebody waits for it.
      if (own === 0) continue;
      this.#blocks.delete(name);
      this.#bytes -= own;
    }
  }
}

/** The number of the part whose keys `key` lies among, or -1. */
function partOf(parts: readonly Part[], key: Uint8Array): number {
  let from = 0;
  let to = parts.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys(parts[middle]!.keyMax, key) < 0) from = middle + 1;
    else to = middle;
  }
  const part = parts[from];
  return part === undefined || compareKeys(key, part.keyMin) < 0 ? -1 : from;
}

/** The number of the last record batch or piece of `part` that begins at most at `key`. */
function blockOf(part: Part, key: Uint8Array): number {
  const beginOf = (at: number): Uint8Array => ('index' in part ? part.index.pieces[at]!.begin : part.batchKeys[at]!);
  let low = 0;
  let high = ('index' in part ? part.index.pieces.length : part.batchKeys.length) - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (compareKeys(beginOf(middle), key) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

function blockStart(part: Part, block: number): number {
  return 'index' in part ? part.index.starts[block]! : block * part.batchRows;
}
