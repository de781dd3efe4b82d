import { keyBlockBytesMax, readConcurrency } from '../core/limits.js';
import { Semaphore } from '../core/semaphore.js';
import { pathText } from '../table/column.js';
import { type EncodedKeys, encodeKeys } from '../table/key-codec.js';
import { compareKeyAt, rowsOfKeys } from '../table/key-compare.js';
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
  /** What ends the read. */
  readonly signal: AbortSignal | undefined;
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
  readonly #blocks = new Map<number, Block>();
  /** The number of each part's first block: blocks are numbered through. */
  readonly #firsts: readonly number[];
  #bytes = 0;

  /** `reading` is of the key columns; `parts` are in the order of their keys. */
  constructor(reading: PartReading, parts: readonly Part[]) {
    this.#reading = reading;
    this.#parts = parts;
    let blocks = 0;
    this.#firsts = parts.map((part) => {
      blocks += blocksOf(part);
      return blocks - blocksOf(part);
    });
    this.#names = reading.plan.keys.map(({ path }) => pathText(path));
  }

  /** Where the rows with `keys` are, in whatever order these come. */
  async find(keys: EncodedKeys, signal?: AbortSignal): Promise<FoundRows> {
    const found: FoundRows = { part: new Int32Array(keys.length).fill(-1), row: new Int32Array(keys.length) };
    const wanted = new Map<number, { part: number; block: number; rows: number[] }>();
    for (let at = 0; at < keys.length; at++) {
      const part = partOf(this.#parts, keys, at);
      if (part < 0) continue;
      const block = blockOf(this.#parts[part]!, keys, at);
      const number = this.#firsts[part]! + block;
      const group = wanted.get(number);
      if (group === undefined) wanted.set(number, { part, block, rows: [at] });
      else group.rows.push(at);
    }
    await Promise.all(
      Array.from(wanted, ([number, { part, block, rows }]) =>
        this.#reads.run(async () => {
          const start = blockStart(this.#parts[part]!, block);
          const own = await this.#keysOf(number, this.#parts[part]!, start, signal);
          const places = rowsOfKeys(own, keys, rows);
          for (const [at, row] of rows.entries()) {
            if (places[at]! < 0) continue;
            found.part[row] = part;
            found.row[row] = start + places[at]!;
          }
        }),
      ),
    );
    return found;
  }

  async #keysOf(number: number, part: Part, start: number, signal: AbortSignal | undefined): Promise<EncodedKeys> {
    for (;;) {
      const block = this.#block(number, part, start, signal);
      try {
        return await block.keys;
      } catch (error) {
        // Who began the read has ended it: that is not this one's end.
        if (block.signal?.aborted !== true || signal?.aborted === true || block.signal === signal) throw error;
      }
    }
  }

  #block(number: number, part: Part, start: number, signal: AbortSignal | undefined): Block {
    let block = this.#blocks.get(number);
    if (block === undefined) {
      const made: Block = { keys: this.#read(part, start, signal), signal, bytes: 0 };
      made.keys.then(
        ({ bytes, offsets }) => this.#keep(made, bytes.byteLength + offsets.byteLength),
        () => {
          if (this.#blocks.get(number) === made) this.#blocks.delete(number);
        },
      );
      block = made;
    } else this.#blocks.delete(number);
    this.#blocks.set(number, block);
    return block;
  }

  async #read(part: Part, start: number, signal: AbortSignal | undefined): Promise<EncodedKeys> {
    const columns = await readPart(this.#reading, part, start, stretchEnd(part, start), { signal });
    return encodeKeys(columns, this.#names);
  }

  #keep(block: Block, bytes: number): void {
    block.bytes = bytes;
    this.#bytes += bytes;
    for (const [number, { bytes: own }] of this.#blocks) {
      if (this.#bytes <= keyBlockBytesMax) return;
      // What is still being read has no size yet, and somebody waits for it.
      if (own === 0) continue;
      this.#blocks.delete(number);
      this.#bytes -= own;
    }
  }
}

/** The number of the part among whose keys row `at` of `keys` lies, or -1. */
function partOf(parts: readonly Part[], keys: EncodedKeys, at: number): number {
  let from = 0;
  let to = parts.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeyAt(parts[middle]!.keyMax, keys, at) < 0) from = middle + 1;
    else to = middle;
  }
  const part = parts[from];
  return part === undefined || compareKeyAt(part.keyMin, keys, at) > 0 ? -1 : from;
}

/** The number of the last record batch or piece of `part` that begins at most at row `at` of `keys`. */
function blockOf(part: Part, keys: EncodedKeys, at: number): number {
  const beginOf = (block: number): Uint8Array =>
    'index' in part ? part.index.pieces[block]!.begin : part.batchKeys[block]!;
  let low = 0;
  let high = blocksOf(part) - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (compareKeyAt(beginOf(middle), keys, at) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

function blocksOf(part: Part): number {
  return 'index' in part ? part.index.pieces.length : part.batchKeys.length;
}

function blockStart(part: Part, block: number): number {
  return 'index' in part ? part.index.starts[block]! : block * part.batchRows;
}
