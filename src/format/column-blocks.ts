import type { Data } from 'apache-arrow';
import type { ArrowFile } from './arrow-file.js';

interface Block {
  readonly data: Data;
  readonly bytes: number;
}

/** Columns of record batches that were read whole, kept in memory up to a number of bytes; the least recently used go first. */
export class ColumnBlocks {
  readonly #blocks = new Map<string, Block>();
  readonly #numbers = new WeakMap<ArrowFile, number>();
  readonly #bytesMax: number;
  #files = 0;
  #bytes = 0;

  /** @param bytesMax 0: nothing is kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether anything is kept, so that what is read should be in memory of its own. */
  get keeps(): boolean {
    return this.#bytesMax > 0;
  }

  /** Bytes of what is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Column number `column` of batch number `batch`, if it is kept. */
  get(file: ArrowFile, batch: number, column: number): Data | undefined {
    const name = this.#name(file, batch, column);
    const block = this.#blocks.get(name);
    if (block === undefined) return undefined;
    this.#blocks.delete(name);
    this.#blocks.set(name, block);
    return block.data;
  }

  /** Keeps `data`, which holds memory of its own of `bytes` bytes; one larger than all that may be kept is not. */
  keep(file: ArrowFile, batch: number, column: number, data: Data, bytes: number): void {
    if (bytes > this.#bytesMax) return;
    const name = this.#name(file, batch, column);
    this.#drop(name);
    this.#blocks.set(name, { data, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#bytes -= this.#blocks.get(name)?.bytes ?? 0;
    this.#blocks.delete(name);
  }

  /** Files are told apart by what is open: one that is opened again was perhaps written anew, under `memory://`. */
  #name(file: ArrowFile, batch: number, column: number): string {
    let number = this.#numbers.get(file);
    if (number === undefined) {
      number = this.#files++;
      this.#numbers.set(file, number);
    }
    return `${number} ${batch} ${column}`;
  }
}
