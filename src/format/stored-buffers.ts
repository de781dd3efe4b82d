import { checksum } from '../arrow/checksum.js';
import { coalesceGapBytes, readBytesMax } from '../core/limits.js';
import type { Memory } from '../core/memory-pool.js';
import type { Verify } from '../core/verify.js';
import type { ArrowFile } from './arrow-file.js';
import { type BufferRole, neededBytes } from './buffer-role.js';
import { codecFor } from './codec.js';
import { corrupt, placed } from './corrupt.js';
import type { StoredBatch } from './stored-batches.js';

/** What reading took; added to by every read that is given one. */
export interface ReadCounters {
  bytes: number;
  requests: number;
}

/** What every read takes. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly counters?: ReadCounters | undefined;
  /** Where to read to; columns are then views of it. Default: memory of their own. */
  readonly memory?: Memory | undefined;
  /** To it are added buffers that what is read without `memory` lies in, large ones, each of one read alone. */
  readonly owned?: ArrayBuffer[] | undefined;
}

/** Bytes from which on a buffer is worth telling of. */
export const ownedBytesMin: number = 64 * 1024;

/** A record batch or a dictionary, and what its buffers are. */
export interface StoredPart {
  readonly batch: StoredBatch;
  readonly roles: readonly BufferRole[];
  /** What buffer number `buffer` belongs to, for messages. */
  readonly name: (buffer: number) => string;
  /** The column that buffer number `buffer` belongs to. */
  readonly column: (buffer: number) => string | undefined;
}

/** A buffer's mark once its checksum held; before, it is 0. */
export const summed = 1;
/** A buffer's mark once its column was also found to be well formed: it is then read without any further check. */
export const sound = 2;

/** Bytes that one compressed buffer may become: what an int32 offset can reach, and a WebAssembly memory can hold. */
const decompressedBytesMax = 2 ** 31 - 1;
/** By how much a buffer may be longer than its rows need: the padding that some writers count in. */
const slackBytes = 64;

/**
 * The buffers of `part` with the numbers `wanted` (ascending, whole columns), verified and decompressed, as a sparse
 * array: at the other numbers stand empty buffers. Neighbours are read together.
 *
 * @throws SpiralError `corrupt_file`, naming file, place and what stood there.
 */
export async function readBuffers(
  file: ArrowFile,
  part: StoredPart,
  wanted: readonly number[],
  verify: Verify,
  options: ReadOptions = {},
): Promise<Uint8Array[]> {
  const { lengths } = part.batch;
  const buffers = new Array<Uint8Array>(lengths.length).fill(empty);
  const stored = wanted.filter((at) => lengths[at]! > 0);
  await Promise.all(coalesced(part.batch, stored).map((run) => readRun(file, part, run, verify, options, buffers)));
  if (file.index.compression !== 'none') {
    const { decompress } = await codecFor(file.index.compression);
    for (const at of stored) buffers[at] = decompressed(file, part, at, buffers, decompress);
  }
  return buffers;
}

const empty = new Uint8Array(0);

/** Runs of buffers near enough to each other to be one read. */
export function coalesced(batch: StoredBatch, wanted: readonly number[]): number[][] {
  const runs: number[][] = [];
  let start = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const at of wanted) {
    const from = batch.offsets[at]!;
    const to = from + batch.lengths[at]!;
    const run = runs.at(-1);
    if (run !== undefined && from - end <= coalesceGapBytes && to - start <= readBytesMax) run.push(at);
    else {
      runs.push([at]);
      start = from;
    }
    end = to;
  }
  return runs;
}

async function readRun(
  file: ArrowFile,
  part: StoredPart,
  run: readonly number[],
  verify: Verify,
  options: ReadOptions,
  into: Uint8Array[],
): Promise<void> {
  const { batch } = part;
  const start = batch.offsets[run[0]!]!;
  const last = run.at(-1)!;
  const length = batch.offsets[last]! + batch.lengths[last]! - start;
  const bytes = await readRange(file, batch.bodyOffset + start, length, options);
  for (const at of run) {
    const from = batch.offsets[at]! - start;
    const buffer = bytes.subarray(from, from + batch.lengths[at]!);
    checkSum(file, part, at, buffer, verify);
    into[at] = aligned(buffer);
  }
}

/** Checks that `bytes` are those of buffer number `at` of `part`, where that is still to be found out. @throws as {@link readBuffers}. */
export function checkSum(file: ArrowFile, part: StoredPart, at: number, bytes: Uint8Array, verify: Verify): void {
  const { batch } = part;
  const marks = file.marks(batch);
  if (verify === 'never' || (verify === 'first' && marks[at] !== 0)) return;
  const found = checksum(bytes);
  if (found !== batch.checksums[at]) throw mismatch(file, part, at, found);
  if (marks[at] === 0) marks[at] = summed;
}

/** Counts a read of `length` bytes. */
export function count(counters: ReadCounters | undefined, length: number): void {
  if (counters === undefined) return;
  counters.bytes += length;
  counters.requests++;
}

/** `length` bytes of `file` from `offset` on, counted, at a place where any typed array may begin: `place`, or else in `memory`. */
export async function readRange(
  file: ArrowFile,
  offset: number,
  length: number,
  { counters, signal, memory, owned }: ReadOptions,
  place?: Uint8Array,
): Promise<Uint8Array> {
  if (length === 0) return empty;
  count(counters, length);
  const into = place ?? memory?.allocate(length);
  const bytes = aligned(await file.store.getRange(file.path, offset, length, { signal, into }));
  const { buffer } = bytes;
  // A view of a part of one may be of a buffer that others have other parts of.
  const isOwn = into === undefined && bytes.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
  if (isOwn && bytes.byteLength >= ownedBytesMin) owned?.push(buffer);
  return bytes;
}

/** A stored buffer without its compression: eight bytes with its size, or -1 for bytes as they are, and then these. */
function decompressed(
  file: ArrowFile,
  part: StoredPart,
  at: number,
  buffers: readonly Uint8Array[],
  decompress: (bytes: Uint8Array, size: number) => Uint8Array,
): Uint8Array {
  const prefixed = buffers[at]!;
  if (prefixed.byteLength < 8) {
    throw corrupt(file.where, `a length before ${part.name(at)}`, 'none', undefined, part.column(at));
  }
  const size = Number(new DataView(prefixed.buffer, prefixed.byteOffset, 8).getBigInt64(0, true));
  const body = prefixed.subarray(8);
  if (size === -1) return body;
  const needed = neededBytes(part.roles, at, part.batch.nodes, buffers);
  if (!(size >= needed && size <= Math.min(needed + slackBytes, decompressedBytesMax))) {
    const expected = `a buffer of ${needed} bytes in ${part.name(at)}`;
    throw corrupt(file.where, expected, `a compressed one of ${size}`, undefined, part.column(at));
  }
  try {
    return aligned(decompress(body, size));
  } catch (error) {
    throw placed(error, file.where, part.name(at), part.column(at));
  }
}

function mismatch(file: ArrowFile, { batch, name, column }: StoredPart, at: number, found: number): Error {
  const place = batch.bodyOffset + batch.offsets[at]!;
  return corrupt(
    file.where,
    `checksum ${hex(batch.checksums[at]!)} over the ${batch.lengths[at]} bytes at ${place} (${name(at)})`,
    `checksum ${hex(found)}`,
    undefined,
    column(at),
  );
}

const hex = (sum: number): string => sum.toString(16).padStart(8, '0');

/** The same bytes at a place where any typed array may begin. */
function aligned(bytes: Uint8Array): Uint8Array {
  return (bytes.byteOffset & 7) === 0 ? bytes : bytes.slice();
}
