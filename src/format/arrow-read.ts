import { type Data, DataType, type Vector } from 'apache-arrow';
import { assembleData } from '../arrow/flat.js';
import { gatherColumn } from '../arrow/gather.js';
import { oneRange } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { Verify } from '../core/verify.js';
import type { ArrowFile } from './arrow-file.js';
import { placed } from './corrupt.js';
import { readPart } from './part-read.js';
import { type ReadOptions, readBuffers, sound, summed } from './stored-buffers.js';

/** What to read of a file. */
export interface ReadRequest extends ReadOptions {
  /** Numbers of the columns wanted, in the order in which they are wanted. */
  readonly columns: readonly number[];
  readonly verify: Verify;
}

/**
 * Rows `from … to` (counted in the batch) of batch number `batch`.
 *
 * A whole batch is views over what was read. A part of one reads just its own bytes, where the file is uncompressed and
 * the buffers are verified; else the batch is read whole and the part copied, so that no more memory stays than was
 * asked for.
 *
 * @throws SpiralError `corrupt_file`, naming file and column, and what the store rejects with.
 */
export async function readRows(
  file: ArrowFile,
  batch: number,
  from: number,
  to: number,
  request: ReadRequest,
): Promise<Data[]> {
  const { rows } = file.index.batches[batch]!;
  if (from === 0 && to === rows) return readBatch(file, batch, request);
  if (readsParts(file, batch, request)) {
    const dictionaries = await columnDictionaries(file, request.columns);
    return readPart(file, batch, from, to, request, dictionaries);
  }
  const scratch = request.memory?.scratch();
  try {
    const whole = await readBatch(file, batch, { ...request, memory: scratch });
    const part = whole.map((data) => gatherColumn(columnSources(data.type, [data]), oneRange(from, to - from)));
    scratch?.release();
    return part;
  } catch (error) {
    scratch?.abandon();
    throw error;
  }
}

async function readBatch(file: ArrowFile, batch: number, request: ReadRequest): Promise<Data[]> {
  const part = file.part(batch);
  const wanted = [...new Set(request.columns)].sort((a, b) => a - b).flatMap((column) => buffersOf(file, column));
  const [buffers, dictionaries] = await Promise.all([
    readBuffers(file, part, wanted, request.verify, request),
    columnDictionaries(file, request.columns),
  ]);
  return request.columns.map((column, at) => {
    const { node, buffer } = file.places[column]!;
    const field = file.schema.fields[column]!;
    const inOrder = isSound(file, batch, column);
    const cursor = { nodes: part.batch.nodes, buffers, node: node * 2, buffer, inOrder };
    try {
      const data = assembleData(field.type, cursor, dictionaries[at]);
      if (!inOrder) markSound(file, batch, column);
      return data;
    } catch (error) {
      throw placed(error, file.where, `column '${field.name}' of batch ${batch}`, field.name);
    }
  });
}

/** The numbers of the buffers of a column. */
export function buffersOf(file: ArrowFile, column: number): number[] {
  const { buffer, buffers } = file.places[column]!;
  return Array.from({ length: buffers }, (_, at) => buffer + at);
}

/** Whether of a part of a batch just its own bytes are read. */
export function readsParts(file: ArrowFile, batch: number, request: Pick<ReadRequest, 'columns' | 'verify'>): boolean {
  return file.index.compression === 'none' && trusted(file, batch, request);
}

/** Whether there is nothing left to verify of the columns of a batch. */
export function trusted(
  file: ArrowFile,
  batch: number,
  { columns, verify }: Pick<ReadRequest, 'columns' | 'verify'>,
): boolean {
  return verify === 'never' || (verify === 'first' && columns.every((column) => isSound(file, batch, column)));
}

/** Whether every buffer of the column was verified and its form checked. */
function isSound(file: ArrowFile, batch: number, column: number): boolean {
  const stored = file.index.batches[batch]!;
  const marks = file.marks(stored);
  const { buffer, buffers } = file.places[column]!;
  for (let at = buffer; at < buffer + buffers; at++) {
    if (marks[at] !== sound && stored.lengths[at] !== 0) return false;
  }
  return true;
}

export function markSound(file: ArrowFile, batch: number, column: number): void {
  const marks = file.marks(file.index.batches[batch]!);
  for (const at of buffersOf(file, column)) if (marks[at] === summed) marks[at] = sound;
}

function columnDictionaries(file: ArrowFile, columns: readonly number[]): Promise<(Vector | undefined)[]> {
  return Promise.all(
    columns.map((column) =>
      DataType.isDictionary(file.schema.fields[column]!.type) ? file.dictionary(column) : undefined,
    ),
  );
}
