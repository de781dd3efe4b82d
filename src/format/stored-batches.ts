/** Where the stored buffers of one record batch or dictionary are, and what they must sum to. */
export interface StoredBatch {
  readonly rows: number;
  /** Place in the file of the first stored buffer's body. */
  readonly bodyOffset: number;
  /** Length and null count of every node, columns in order. */
  readonly nodes: Float64Array;
  /** Offsets of the buffers in the body, stored lengths in bytes, and CRC-32 of the stored bytes. */
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  readonly checksums: Uint32Array;
}

/** One batch by itself. All are float64 but the checksums, which are uint32: little-endian bytes. */
export type ListedBatch = [
  rows: number,
  body: number,
  nodes: Uint8Array,
  offsets: Uint8Array,
  lengths: Uint8Array,
  sums: Uint8Array,
];

/** All batches of a file, which have as many nodes and buffers each: a number of all of them is one array. */
export interface PackedBatches {
  /** How many. */
  n: number;
  /** Rows and places of the bodies, float64. */
  r: Uint8Array;
  p: Uint8Array;
  /** How many of each a batch has: numbers of nodes, offsets, lengths, checksums. */
  k: [nodes: number, offsets: number, lengths: number, sums: number];
  /** Nodes, offsets and lengths of the first batch, then those of the next, float64; and the checksums, uint32. */
  f: Uint8Array;
  s: Uint8Array;
}

/** `batches` in one. @throws RangeError unless all have as many nodes and buffers. */
export function packBatches(batches: readonly StoredBatch[]): PackedBatches {
  const [first] = batches;
  const counts: BatchCounts =
    first === undefined
      ? { nodes: 0, offsets: 0, lengths: 0, sums: 0 }
      : {
          nodes: first.nodes.length,
          offsets: first.offsets.length,
          lengths: first.lengths.length,
          sums: first.checksums.length,
        };
  const floats = new Float64Array(batches.length * floatsOf(counts));
  const sums = new Uint32Array(batches.length * counts.sums);
  for (const [number, { nodes, offsets, lengths, checksums }] of batches.entries()) {
    const isLikeFirst = nodes.length === counts.nodes && offsets.length === counts.offsets;
    if (!isLikeFirst || lengths.length !== counts.lengths || checksums.length !== counts.sums)
      throw new RangeError(`Batch ${number} has other buffers than the first.`);
    const at = number * floatsOf(counts);
    floats.set(nodes, at);
    floats.set(offsets, at + counts.nodes);
    floats.set(lengths, at + counts.nodes + counts.offsets);
    sums.set(checksums, number * counts.sums);
  }
  return {
    n: batches.length,
    r: bytes(Float64Array.from(batches, ({ rows }) => rows)),
    p: bytes(Float64Array.from(batches, ({ bodyOffset }) => bodyOffset)),
    k: [counts.nodes, counts.offsets, counts.lengths, counts.sums],
    f: bytes(floats),
    s: bytes(sums),
  };
}

/** What {@link packBatches} packed. @throws RangeError, TypeError where it did not. */
export function unpackBatches({ n, r, p, k, f, s }: PackedBatches): StoredBatch[] {
  const [nodes, offsets, lengths, sums] = k.map(wholeCount) as [number, number, number, number];
  const counts = { nodes, offsets, lengths, sums };
  const rows = float64(r, wholeCount(n));
  const places = float64(p, n);
  const numbers = { floats: float64(f, n * floatsOf(counts)), sums: uint32(s, n * sums) };
  const batches = new Array<PackedBatch>(n);
  for (let at = 0; at < n; at++) {
    batches[at] = new PackedBatch(rows[at]!, places[at]!, numbers, at * floatsOf(counts), at * sums, counts);
  }
  return batches;
}

/** `batch` by itself. */
export function listBatch({ rows, bodyOffset, nodes, offsets, lengths, checksums }: StoredBatch): ListedBatch {
  return [rows, bodyOffset, bytes(nodes), bytes(offsets), bytes(lengths), bytes(checksums)];
}

/** What {@link listBatch} made, in one memory for each kind of numbers. @throws RangeError, TypeError for anything else. */
export function unlistBatches(listed: readonly ListedBatch[]): StoredBatch[] {
  const counted = listed.map(([, , nodes, offsets, lengths, sums]) => ({
    nodes: countOf(nodes, 8),
    offsets: countOf(offsets, 8),
    lengths: countOf(lengths, 8),
    sums: countOf(sums, 4),
  }));
  const numbers: BatchNumbers = {
    floats: new Float64Array(counted.reduce((sum, counts) => sum + floatsOf(counts), 0)),
    sums: new Uint32Array(counted.reduce((sum, counts) => sum + counts.sums, 0)),
  };
  const [floatBytes, sumBytes] = [bytes(numbers.floats), bytes(numbers.sums)];
  let [floatsAt, sumsAt] = [0, 0];
  return listed.map(([rows, bodyOffset, nodes, offsets, lengths, sums], at) => {
    const counts = counted[at]!;
    const batch = new PackedBatch(rows, bodyOffset, numbers, floatsAt, sumsAt, counts);
    floatBytes.set(nodes, floatsAt * 8);
    floatBytes.set(offsets, (floatsAt + counts.nodes) * 8);
    floatBytes.set(lengths, (floatsAt + counts.nodes + counts.offsets) * 8);
    sumBytes.set(sums, sumsAt * 4);
    floatsAt += floatsOf(counts);
    sumsAt += counts.sums;
    return batch;
  });
}

/** The numbers of all batches of a file, one batch behind the other: of each its nodes, offsets and lengths; and its checksums. */
interface BatchNumbers {
  readonly floats: Float64Array;
  readonly sums: Uint32Array;
}

/** How many numbers a batch has. */
interface BatchCounts {
  readonly nodes: number;
  readonly offsets: number;
  readonly lengths: number;
  readonly sums: number;
}

function floatsOf({ nodes, offsets, lengths }: BatchCounts): number {
  return nodes + offsets + lengths;
}

/** A batch whose arrays are made once they are asked for: those of 100,000 batches take 36 MB, and time to make and collect. */
class PackedBatch implements StoredBatch {
  readonly rows: number;
  readonly bodyOffset: number;
  readonly #numbers: BatchNumbers;
  readonly #floatsAt: number;
  readonly #sumsAt: number;
  readonly #counts: BatchCounts;
  #made: BatchArrays | undefined;

  constructor(
    rows: number,
    bodyOffset: number,
    numbers: BatchNumbers,
    floatsAt: number,
    sumsAt: number,
    counts: BatchCounts,
  ) {
    this.rows = rows;
    this.bodyOffset = bodyOffset;
    this.#numbers = numbers;
    this.#floatsAt = floatsAt;
    this.#sumsAt = sumsAt;
    this.#counts = counts;
  }

  get nodes(): Float64Array {
    return this.#arrays().nodes;
  }

  get offsets(): Float64Array {
    return this.#arrays().offsets;
  }

  get lengths(): Float64Array {
    return this.#arrays().lengths;
  }

  get checksums(): Uint32Array {
    return this.#arrays().checksums;
  }

  look(): BatchLook {
    const { floats } = this.#numbers;
    const nodesAt = this.#floatsAt;
    const offsetsAt = nodesAt + this.#counts.nodes;
    return { floats, nodesAt, offsetsAt, lengthsAt: offsetsAt + this.#counts.offsets, counts: this.#counts };
  }

  #arrays(): BatchArrays {
    if (this.#made !== undefined) return this.#made;
    const { floats, nodesAt, offsetsAt, lengthsAt, counts } = this.look();
    this.#made = {
      nodes: floats.subarray(nodesAt, offsetsAt),
      offsets: floats.subarray(offsetsAt, lengthsAt),
      lengths: floats.subarray(lengthsAt, lengthsAt + counts.lengths),
      checksums: this.#numbers.sums.subarray(this.#sumsAt, this.#sumsAt + counts.sums),
    };
    return this.#made;
  }
}

type BatchArrays = Pick<StoredBatch, 'nodes' | 'offsets' | 'lengths' | 'checksums'>;

/** Where the numbers of `batch` stand. */
export function lookAt(batch: StoredBatch): BatchLook {
  if (batch instanceof PackedBatch) return batch.look();
  const { nodes, offsets, lengths, checksums } = batch;
  const counts = { nodes: nodes.length, offsets: offsets.length, lengths: lengths.length, sums: checksums.length };
  const floats = Float64Array.of(...nodes, ...offsets, ...lengths);
  return { floats, nodesAt: 0, offsetsAt: nodes.length, lengthsAt: nodes.length + offsets.length, counts };
}

/** Where the numbers of a batch stand among those of all: who looks at each batch of a file once needs no arrays of it. */
export interface BatchLook {
  readonly floats: Float64Array;
  readonly nodesAt: number;
  readonly offsetsAt: number;
  readonly lengthsAt: number;
  readonly counts: BatchCounts;
}

function bytes(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function wholeCount(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${value} is no count.`);
}

/** Copied: aligned, and not a view that keeps the whole index in memory. @throws RangeError unless they are `count`. */
function float64(part: Uint8Array, count: number): Float64Array {
  if (countOf(part, 8) !== count) throw new RangeError(`${part.byteLength} bytes are not ${count} numbers.`);
  return new Float64Array(new Uint8Array(part).buffer);
}

function uint32(part: Uint8Array, count: number): Uint32Array {
  if (countOf(part, 4) !== count) throw new RangeError(`${part.byteLength} bytes are not ${count} numbers.`);
  return new Uint32Array(new Uint8Array(part).buffer);
}

/** Numbers of `width` bytes in `part`. @throws RangeError where they are not whole: the index is damaged. */
function countOf(part: Uint8Array, width: number): number {
  if (part instanceof Uint8Array && part.byteLength % width === 0) return part.byteLength / width;
  throw new RangeError(`${part.byteLength} bytes are no numbers of ${width}.`);
}
