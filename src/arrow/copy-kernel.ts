import { Arena } from '../core/arena.js';
import { copyKernelWasm } from './copy-kernel-wasm.js';
import type { Ranges } from './ranges.js';

/** Where the buffers of several sources lie in one arena. */
export interface Addresses {
  readonly kernel: CopyKernel;
  /** The address of each source's values. */
  readonly data: Int32Array;
  /** The address of each source's offsets; of values with a fixed width: none. */
  readonly offsets: Int32Array;
}

/** Where `data`, and with it `offsets`, lie, if all of it lies in one arena. */
export function addressesOf(
  data: readonly ArrayBufferView[],
  offsets: readonly ArrayBufferView[] = [],
): Addresses | undefined {
  if (data.length > sourcesMax) return undefined;
  let arena: Arena | undefined;
  for (const views of [data, offsets]) {
    for (const { buffer, byteLength } of views) {
      // Nothing is ever taken from an empty one, wherever it lies.
      if (byteLength === 0) continue;
      const own = Arena.of(buffer);
      if (own === undefined || (arena !== undefined && own !== arena)) return undefined;
      arena = own;
    }
  }
  const kernel = arena === undefined ? undefined : CopyKernel.of(arena);
  if (kernel === undefined) return undefined;
  const at = ({ byteOffset }: ArrayBufferView): number => byteOffset;
  return { kernel, data: Int32Array.from(data, at), offsets: Int32Array.from(offsets, at) };
}

/** Sources that it can tell apart. */
const sourcesMax = 2048;
/** Ranges that are handed over at a time. */
const rangesMax = 512;
/** Bytes that are copied before they are taken out: they then still lie in the processor's cache. */
const roomBytes = 16 * 1024;
/** Bytes behind the room that copies in steps of 16 may touch. */
const spareBytes = 16;
/** Ranges below which handing them over costs more than it saves. */
const rangesMin = 8;
/** Bytes of a range above which `set(subarray)` is as quick. */
const rangeBytesMax = 8 * 1024;

/** Places in the scratch memory, in int32: of each range source, start and length; tables of sources; bytes copied. */
const [sourceAt, startAt, lengthsAt] = [0, rangesMax, 2 * rangesMax];
const dataAt = 3 * rangesMax;
const offsetsAt = dataAt + sourcesMax;
const writtenAt = offsetsAt + sourcesMax;
const roomAt = writtenAt + 4;

type Copy = (
  ...to: [...Handed, widthOrOffsets: number, data: number, to: number, room: number, written: number]
) => number;

/** Ranges, as the kernel gets them. */
type Handed = [count: number, source: number, start: number, lengths: number, lengthStep: number];

/** What `copy-kernel.wat` exports. */
interface Exports {
  readonly fixed: Copy;
  readonly bytes: Copy;
  total(...of: [...Handed, offsets: number]): number;
  offsets(...of: [...Handed, offsets: number, to: number, offset: number]): number;
}

/**
 * Copies rows that lie anywhere in an arena: the loops of `copy-bytes.ts` and `copy-fixed.ts` in WebAssembly, which for
 * rows of tens and hundreds of bytes take a small part of the time. What was copied is taken out of the arena by one copy
 * more.
 */
export class CopyKernel {
  readonly #arena: Arena;
  readonly #exports: Exports;
  readonly #base: number;
  readonly #ints: Int32Array;
  readonly #room: Uint8Array;
  /** Whose tables lie in the scratch memory. */
  #placed: Addresses | undefined;

  private constructor(arena: Arena, scratch: Uint8Array) {
    module ??= new WebAssembly.Module(Buffer.from(copyKernelWasm, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { arena: { memory: arena.memory } });
    this.#arena = arena;
    this.#exports = exports as unknown as Exports;
    this.#base = scratch.byteOffset;
    this.#ints = new Int32Array(scratch.buffer, this.#base, roomAt);
    this.#room = scratch.subarray(roomAt * 4);
  }

  /** The kernel of `arena`; undefined where the arena has no room for it. */
  static of(arena: Arena): CopyKernel | undefined {
    let kernel = kernels.get(arena);
    if (kernel === undefined) {
      const scratch = arena.allocate(roomAt * 4 + roomBytes + spareBytes);
      if (scratch === undefined) return undefined;
      kernel = new CopyKernel(arena, scratch);
      kernels.set(arena, kernel);
    }
    return kernel;
  }

  /** Whether copying `bytes` bytes in `ranges` is worth its while. */
  static suits({ count }: Ranges, bytes: number): boolean {
    return count >= rangesMin && bytes <= count * rangeBytesMax;
  }

  /** Copies rows of `width` bytes each to the start of `target`. */
  copyFixed(addresses: Addresses, ranges: Ranges, width: number, target: Uint8Array): void {
    this.#copy(addresses, ranges, this.#exports.fixed, width, target);
  }

  /** Copies values of variable length to the start of `target`. */
  copyBytes(addresses: Addresses, ranges: Ranges, target: Uint8Array): void {
    this.#copy(addresses, ranges, this.#exports.bytes, undefined, target);
  }

  /** The number of bytes that `ranges` cover. */
  totalBytes(addresses: Addresses, ranges: Ranges): number {
    this.#place(addresses);
    let total = 0;
    for (let from = 0; from < ranges.count; from += rangesMax) {
      const handed = this.#hand(ranges, from);
      total += this.#exports.total(...handed, this.#address(offsetsAt));
    }
    return total;
  }

  /** Writes the offset behind each row, one row a range, from 0 on, to the second place of `target` and those that follow. */
  writeOffsets(addresses: Addresses, ranges: Ranges, target: Int32Array): void {
    this.#place(addresses);
    const room = this.#address(roomAt);
    let end = 0;
    for (let from = 0; from < ranges.count; from += rangesMax) {
      const handed = this.#hand(ranges, from);
      end = this.#exports.offsets(...handed, this.#address(offsetsAt), room, end);
      target.set(new Int32Array(this.#ints.buffer, room, handed[0]), from + 1);
    }
  }

  #copy(addresses: Addresses, ranges: Ranges, copy: Copy, width: number | undefined, target: Uint8Array): void {
    this.#place(addresses);
    const [data, room, written] = [this.#address(dataAt), this.#address(roomAt), this.#address(writtenAt)];
    // `fill`, for `set` copies word by word what may be shared with other threads.
    const out = Buffer.from(target.buffer, target.byteOffset, target.byteLength);
    let put = 0;
    for (let from = 0; from < ranges.count; from += rangesMax) {
      const [count, source, start, lengths, step] = this.#hand(ranges, from);
      for (let done = 0; done < count; ) {
        const [skip, own] = [done * 4, done * step];
        const to: Handed = [count - done, source + skip, start + skip, lengths + own, step];
        const copied = copy(...to, width ?? this.#address(offsetsAt), data, room, roomBytes, written);
        if (copied === 0) {
          put += this.#copyLarge(addresses, ranges, from + done++, width, target, put);
          continue;
        }
        const bytes = this.#ints[writtenAt]!;
        if (bytes > 0) out.fill(this.#room.subarray(0, bytes), put, put + bytes);
        put += bytes;
        done += copied;
      }
    }
  }

  /** Copies a range that is larger than the room; returns its bytes. */
  #copyLarge(
    { data, offsets }: Addresses,
    { source, start, lengths }: Ranges,
    at: number,
    width: number | undefined,
    target: Uint8Array,
    put: number,
  ): number {
    const { buffer } = this.#arena.memory;
    const from = source[at]!;
    const first = start[at]!;
    const rows = typeof lengths === 'number' ? lengths : lengths[at]!;
    let [begin, end] = [first * (width ?? 1), (first + rows) * (width ?? 1)];
    if (width === undefined) {
      const own = new Int32Array(buffer, offsets[from]! >>> 0, first + rows + 1);
      [begin, end] = [own[first]!, own[first + rows]!];
    }
    target.set(new Uint8Array(buffer, (data[from]! >>> 0) + begin, end - begin), put);
    return end - begin;
  }

  /** Puts the tables of sources where the kernel finds them. */
  #place(addresses: Addresses): void {
    if (this.#placed === addresses) return;
    this.#ints.set(addresses.data, dataAt);
    this.#ints.set(addresses.offsets, offsetsAt);
    this.#placed = addresses;
  }

  /** Puts ranges from number `from` on where the kernel finds them. */
  #hand({ count, source, start, lengths }: Ranges, from: number): Handed {
    const to = Math.min(count, from + rangesMax);
    this.#ints.set(source.subarray(from, to), sourceAt);
    this.#ints.set(start.subarray(from, to), startAt);
    if (typeof lengths === 'number') this.#ints[lengthsAt] = lengths;
    else this.#ints.set(lengths.subarray(from, to), lengthsAt);
    const step = typeof lengths === 'number' ? 0 : 4;
    return [to - from, this.#address(sourceAt), this.#address(startAt), this.#address(lengthsAt), step];
  }

  #address(place: number): number {
    return this.#base + place * 4;
  }
}

let module: WebAssembly.Module | undefined;
const kernels = new WeakMap<Arena, CopyKernel>();
