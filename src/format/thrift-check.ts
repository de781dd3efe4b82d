import { nestingMax } from '../core/limits.js';

/** Types of Thrift's compact protocol, as far as Parquet has them. */
const [stop, yes, no, byte, i16, i32, i64, double, binary, list, struct] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12];
/** Bytes of the longest number of 64 bits. */
const varintBytesMax = 10;
/** Structs and lists inside one another: those of a footer are eight deep. */
const depthMax: number = nestingMax;

/**
 * Goes through the struct of Thrift's compact protocol at `from`, and gives where it ends. hyparquet, which decodes it then,
 * believes any length, and takes a number of a million bytes for one: that costs it hours.
 *
 * @throws Error unless every part lies within `bytes`, no number is longer than 64 bits, and nothing is nested deeply.
 */
export function checkThrift(bytes: Uint8Array, from: number): number {
  const walk = new ThriftWalk(bytes, from);
  walk.struct(0);
  return walk.at;
}

class ThriftWalk {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  struct(depth: number): void {
    for (;;) {
      const head = this.#byte();
      if ((head & 0x0f) === stop) return;
      if (head >> 4 === 0) this.#varint();
      this.#value(head & 0x0f, depth, false);
    }
  }

  #value(type: number, depth: number, inList: boolean): void {
    if (depth > depthMax) throw new Error('metadata is nested too deeply');
    switch (type) {
      case yes:
      case no:
        // Of a field the type is the value.
        if (inList) this.#skip(1);
        return;
      case byte:
        this.#skip(1);
        return;
      case i16:
      case i32:
      case i64:
        this.#varint();
        return;
      case double:
        this.#skip(8);
        return;
      case binary:
        this.#skip(this.#varint());
        return;
      case list:
        this.#list(depth);
        return;
      case struct:
        this.struct(depth + 1);
        return;
      default:
        throw new Error(`metadata of the type ${type}`);
    }
  }

  #list(depth: number): void {
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    // Every element takes a byte at least.
    if (count > this.#bytes.length - this.at) throw new Error(`a list of ${count} elements reaches beyond its bytes`);
    for (let at = 0; at < count; at++) this.#value(head & 0x0f, depth + 1, true);
  }

  #byte(): number {
    const found = this.#bytes[this.at++];
    if (found === undefined) throw new Error('metadata is cut short');
    return found;
  }

  #skip(count: number): void {
    this.at += count;
    if (this.at > this.#bytes.length) throw new Error('metadata reaches beyond its bytes');
  }

  #varint(): number {
    let value = 0;
    for (let at = 0; at < varintBytesMax; at++) {
      const next = this.#byte();
      value += (next & 0x7f) * 2 ** (7 * at);
      if (next < 0x80) return value;
    }
    throw new Error('a number is longer than 64 bits');
  }
}
