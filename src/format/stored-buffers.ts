import { checksum } from '../arrow/checksum.js';
import { coalesceGapBytes, readBytesMax } from '../core/limits.js';
import type { ArrowFile } from './arrow-file.js';
import type { StoredBatch } from './arrow-index.js';
import { codecFor } from './codec.js';
import { corrupt } from './corrupt.js';

/**
 * When the checksum of a stored buffer is checked: on its first read in a process, on every read, or never (law 22).
 */
export type Verify = 'first' | 'always' | 'never';

/** What reading took; added to by every read that is given one. */
export interface ReadCounters {
  bytes: number;
  requests: number;
}

/** What every read takes. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly counters?: ReadCounters | undefined;
}

/**
 * The buffers of `batch` with the numbers `wanted` (ascending), verified and decompressed, as a sparse array: at the
 * other numbers stand empty buffers. Neighbours are read together.
 */
export async function readBuffers(
  file: ArrowFile,
  batch: StoredBatch,
  wanted: readonly number[],
  verify: Verify,
  options: ReadOptions = {},
): Promise<Uint8Array[]> {
  const buffers = new Array<Uint8Array>(batch.lengths.length).fill(empty);
  const stored = wanted.filter((at) => batch.lengths[at]! > 0);
  await Promise.all(coalesced(batch, stored).map((run) => readRun(file, batch, run, verify, options, buffers)));
  if (file.index.compression === 'none') return buffers;
  const codec = await codecFor(file.index.compression);
  for (const at of stored) {
    const prefixed = buffers[at]!;
    if (prefixed.byteLength < 8) throw corrupt(file.where, 'a length before each compressed buffer', 'none');
    const size = Number(new DataView(prefixed.buffer, prefixed.byteOffset, 8).getBigInt64(0, true));
    const body = prefixed.subarray(8);
    buffers[at] = aligned(size === -1 ? body : codec.decompress(body, size));
  }
  return buffers;
}

const empty = new Uint8Array(0);

/** Runs of buffers near enough to each other to be one read. */
function coalesced(batch: StoredBatch, wanted: readonly number[]): number[][] {
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
  batch: StoredBatch,
  run: readonly number[],
  verify: Verify,
  options: ReadOptions,
  into: Uint8Array[],
): Promise<void> {
  const start = batch.offsets[run[0]!]!;
  const last = run.at(-1)!;
  const length = batch.offsets[last]! + batch.lengths[last]! - start;
  const bytes = await file.store.getRange(file.path, batch.bodyOffset + start, length, { signal: options.signal });
  if (options.counters !== undefined) {
    options.counters.bytes += length;
    options.counters.requests++;
  }
  const marks = file.verified(batch);
  for (const at of run) {
    const from = batch.offsets[at]! - start;
    const buffer = bytes.subarray(from, from + batch.lengths[at]!);
    if (verify === 'always' || (verify === 'first' && marks[at] === 0)) {
      const found = checksum(buffer);
      if (found !== batch.checksums[at]) throw mismatch(file, batch, at, found);
      marks[at] = 1;
    }
    into[at] = aligned(buffer);
  }
}

function mismatch(file: ArrowFile, batch: StoredBatch, at: number, found: number): Error {
  const number = file.index.batches.indexOf(batch);
  const column = file.places.findIndex((place) => at >= place.buffer && at < place.buffer + place.buffers);
  const name = file.schema.fields[column]?.name;
  const what = number < 0 ? 'a dictionary' : `column '${name}' of batch ${number}`;
  const place = batch.bodyOffset + batch.offsets[at]!;
  return corrupt(
    file.where,
    `checksum ${hex(batch.checksums[at]!)} over the ${batch.lengths[at]} bytes at ${place} (${what})`,
    `checksum ${hex(found)}`,
  );
}

const hex = (sum: number): string => sum.toString(16).padStart(8, '0');

/** The same bytes at a place where any typed array may begin. */
function aligned(bytes: Uint8Array): Uint8Array {
  return (bytes.byteOffset & 7) === 0 ? bytes : bytes.slice();
}
