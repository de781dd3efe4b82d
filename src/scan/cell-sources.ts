import type { Verify } from '../core/verify.js';
import { readRows, trusted } from '../format/arrow-read.js';
import type { HeldBatch } from './batch-cache.js';
import type { OpenedFile } from './set-files.js';
import type { PartReading } from './set-reader.js';

/** How cells are read. */
export interface CellReading {
  readonly verify: Verify;
  /** Whether the rows behind these are wanted next: then so is the rest of each record batch. */
  readonly inOrder: boolean;
}

/** Cells of a record batch: rows `from … to` of it are wanted. */
export interface Source {
  readonly file: OpenedFile;
  readonly batch: number;
  readonly from: number;
  readonly to: number;
}

/** Columns of a source, of which row `base` is their row 0; to be copied out and released. */
export interface ReadSource extends HeldBatch {
  readonly base: number;
}

/** Reads the columns at `slots` of all of `sources`. */
export function readSources(
  reading: PartReading,
  sources: readonly Source[],
  slots: readonly number[],
  cells: CellReading,
): Promise<ReadSource[]> {
  const reads = sources.map((source) => readSource(reading, source, slots, cells));
  return settledAll(reads, ({ release }) => release());
}

/** What all of `work` resolves with; where some of it fails, what the rest gave is released. */
export async function settledAll<T>(work: readonly Promise<T>[], release: (one: T) => void): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const failed = settled.find((one) => one.status === 'rejected');
  const done = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (failed === undefined) return done;
  for (const one of done) release(one);
  throw failed.reason;
}

/** A batch is read whole where a good part of it is wanted, as its neighbours then want the rest. */
const wholeShare = 4;

async function readSource(
  reading: PartReading,
  { file, batch, from, to }: Source,
  slots: readonly number[],
  { verify, inOrder }: CellReading,
): Promise<ReadSource> {
  const places = slots.map((slot) => file.places.get(slot)!);
  const columns = places.map((place) => file.numbers[place]!);
  const { index } = file.file;
  const partly =
    !inOrder &&
    (to - from) * wholeShare < index.batches[batch]!.rows &&
    index.compression === 'none' &&
    !reading.batches.has(batchName(file, batch, verify)) &&
    trusted(file.file, batch, { columns, verify });
  if (partly) {
    const memory = reading.batches.lease();
    const request = { columns, verify, counters: reading.counters, memory };
    try {
      const read = await reading.reads.run(() => readRows(file.file, batch, from, to, request));
      return { columns: read, base: from, release: () => memory.release() };
    } catch (error) {
      memory.abandon();
      throw error;
    }
  }
  const whole = await wholeBatch(reading, file, batch, verify);
  return { columns: places.map((place) => whole.columns[place]!), base: 0, release: whole.release };
}

/** All columns of a batch that the plan takes, read once for all who want it at about the same time. To be released. */
export function wholeBatch(reading: PartReading, file: OpenedFile, batch: number, verify: Verify): Promise<HeldBatch> {
  return reading.batches.get(batchName(file, batch, verify), (memory) => {
    const { rows } = file.file.index.batches[batch]!;
    const request = { columns: file.numbers, verify, counters: reading.counters, memory };
    return reading.reads.run(() => readRows(file.file, batch, 0, rows, request));
  });
}

function batchName({ name }: OpenedFile, batch: number, verify: Verify): string {
  return `${name} ${batch} ${verify}`;
}
