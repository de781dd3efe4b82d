/**
 * Compresses as Google's own snappy 1.1.9 does, byte for byte: other implementations find other matches. From
 * `snappy.cc` (`CompressFragment`) and `format_description.txt` of that project. Quicker than any but native code: blocks
 * of 64 KiB, each with a table of where four bytes were seen last, and steps that widen where nothing is found.
 */
const blockBytes = 65_536;
const tableBits = 14;
const tableSizeMin = 256;
/** Bytes at the end of a block in which no match is looked for. */
const marginBytes = 15;

/** `bytes` as a raw snappy block: their number, then literals and copies. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  // The most that it can become, as the library has it.
  const into = new Uint8Array(32 + bytes.length + Math.ceil(bytes.length / 6));
  let at = 0;
  let size = bytes.length;
  for (; size >= 0x80; size = Math.floor(size / 0x80)) into[at++] = (size % 0x80) | 0x80;
  into[at++] = size;
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const writer = new BlockWriter(into, at);
  const table = new Uint16Array(1 << tableBits);
  for (let from = 0; from < bytes.length; from += blockBytes) {
    writer.block(source.subarray(from, from + blockBytes), table);
  }
  return into.subarray(0, writer.at);
}

function tableMask(size: number): number {
  if (size > 1 << tableBits) return (1 << tableBits) - 1;
  if (size < tableSizeMin) return tableSizeMin - 1;
  return 2 ** (Math.floor(Math.log2(size - 1)) + 1) - 1;
}

function hash(word: number, mask: number): number {
  return (Math.imul(word, 0x1e35_a7bd) >>> (32 - tableBits)) & mask;
}

class BlockWriter {
  at: number;
  readonly #into: Uint8Array;

  constructor(into: Uint8Array, at: number) {
    this.#into = into;
    this.at = at;
  }

  /** Appends one block. `table` is used again for each. */
  block(source: Buffer, table: Uint16Array): void {
    const end = source.length;
    const mask = tableMask(end);
    table.fill(0, 0, mask + 1);
    const view = new DataView(source.buffer, source.byteOffset, end);
    const limit = end - marginBytes;
    let emitted = 0;
    let at = 0;
    while (limit >= 0 && at < limit) {
      const found = search(view, table, mask, at + 1, limit);
      if (found === undefined) break;
      at = found.at;
      let { candidate } = found;
      this.#literal(source, emitted, at);
      for (;;) {
        const from = at;
        at += 4;
        for (let other = candidate + 4; at < end && source[at] === source[other]; other++) at++;
        this.#copies(from - candidate, at - from);
        emitted = at;
        if (at >= limit) break;
        table[hash(view.getUint32(at - 1, true), mask)] = at - 1;
        const word = view.getUint32(at, true);
        const key = hash(word, mask);
        candidate = table[key]!;
        table[key] = at;
        if (view.getUint32(candidate, true) !== word) break;
      }
    }
    if (emitted < end) this.#literal(source, emitted, end);
  }

  #literal(source: Buffer, from: number, to: number): void {
    const into = this.#into;
    const size = to - from - 1;
    if (size < 60) into[this.at++] = size << 2;
    else {
      const width = size < 0x100 ? 1 : 2;
      into[this.at++] = (59 + width) << 2;
      into[this.at++] = size & 0xff;
      if (width === 2) into[this.at++] = size >> 8;
    }
    let { at } = this;
    this.at = at + size + 1;
    if (size >= 64) into.set(source.subarray(from, to), at);
    else for (let next = from; next < to; next++) into[at++] = source[next]!;
  }

  #copies(offset: number, length: number): void {
    let left = length;
    while (left >= 68) {
      this.#copy(offset, 64);
      left -= 64;
    }
    if (left > 64) {
      this.#copy(offset, 60);
      left -= 60;
    }
    if (left >= 12 || offset >= 2048) {
      this.#copy(offset, left);
      return;
    }
    this.#into[this.at++] = 1 | ((left - 4) << 2) | ((offset >> 3) & 0xe0);
    this.#into[this.at++] = offset & 0xff;
  }

  #copy(offset: number, length: number): void {
    this.#into[this.at++] = 2 | ((length - 1) << 2);
    this.#into[this.at++] = offset & 0xff;
    this.#into[this.at++] = offset >> 8;
  }
}

/** The first place from `from` on whose four bytes were seen before, and where; the sixteen next are all tried. */
function search(
  view: DataView,
  table: Uint16Array,
  mask: number,
  from: number,
  limit: number,
): { at: number; candidate: number } | undefined {
  let at = from;
  let skip = 32;
  if (limit - at >= 16) {
    for (const stop = at + 16; at < stop; at++) {
      const word = view.getUint32(at, true);
      const key = hash(word, mask);
      const candidate = table[key]!;
      table[key] = at;
      if (view.getUint32(candidate, true) === word) return { at, candidate };
    }
    skip += 16;
  }
  for (;;) {
    const word = view.getUint32(at, true);
    const step = skip >> 5;
    skip += step;
    const next = at + step;
    if (next > limit) return undefined;
    const key = hash(word, mask);
    const candidate = table[key]!;
    table[key] = at;
    if (view.getUint32(candidate, true) === word) return { at, candidate };
    at = next;
  }
}
