import type { Data } from 'apache-arrow';
import { abortable } from '../core/abort.js';
import { mergeBatchBytesMax, readConcurrency } from '../core/limits.js';
import { stretchAt } from '../core/search.js';
import type { Verify } from '../core/verify.js';
import { trusted } from '../format/arrow-read.js';
import { corrupt } from '../format/corrupt.js';
import type { MergePiece } from '../table/key-merge.js';
import { firstOf, type KeySet } from '../table/key-run.js';
import type { HeldBatch } from './batch-cache.js';
import { wholeBatch } from './cell-sources.js';
import { placeLaneCells } from './lane-columns.js';
import type { MergeIndex } from './merge-index.js';
import { mergeIndex, pieceEntries } from './merge-keys.js';
import { type PlacedCells, placeCells } from './merged-columns.js';
import type { MergedPart } from './part.js';
import { laneRows, onlyPicked, placeRows } from './placed-rows.js';
import type { OpenedFile } from './set-files.js';
import {
  filled,
  joined,
  openedFiles,
  type PartOptions,
  type PartReading,
  pickSetRows,
  readSetRows,
  type Stretch,
  setCuts,
  setStretch,
} from './set-reader.js';

/** Bytes of the batches of a piece that are held from when they were checked until they are put together. */
const checkedBytesMax = mergeBatchBytesMax;

/** Rows `from … to` of `part`, of each cell the newest: the chosen columns by their slots. */
export async function readMergedRows(
  reading: PartReading,
  part: MergedPart,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Data[]> {
  const index = await checkedIndex(reading, part, options.verify ?? reading.verify);
  const spans = [...piecesIn(index, from, to)];
  const reads = spans.map((span) => readPiece(reading, index, span, undefined, options));
  return joined(
    reading.plan,
    await Promise.all(reads),
    spans.map((span) => span.to - span.from),
  );
}

/** The rows `picked` of `part`, ascending, of each cell the newest: the chosen columns by their slots. */
export async function pickMergedRows(
  reading: PartReading,
  part: MergedPart,
  picked: Int32Array,
  options: PartOptions = {},
): Promise<Data[]> {
  if (picked.length === 0) return filled(reading.plan, [], 0);
  const index = await checkedIndex(reading, part, options.verify ?? reading.verify);
  const reads: Promise<Data[]>[] = [];
  const counts: number[] = [];
  let done = 0;
  for (const span of piecesIn(index, picked[0]!, picked.at(-1)! + 1)) {
    const first = done;
    while (done < picked.length && picked[done]! < span.start + span.to) done++;
    if (first === done) continue;
    const within = picked.subarray(first, done).map((row) => row - span.start);
    reads.push(readPiece(reading, index, { ...span, from: within[0]!, to: within.at(-1)! + 1 }, within, options));
    counts.push(done - first);
  }
  return joined(reading.plan, await Promise.all(reads), counts);
}

/** Rows `from … to` of a piece, which begins at row `start` of its part. */
interface PieceSpan {
  readonly piece: MergePiece;
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

/** The pieces that rows `from … to` of a part are in. */
function* piecesIn({ starts, pieces }: MergeIndex, from: number, to: number): Generator<PieceSpan> {
  for (let number = stretchAt(starts, from); number < pieces.length; number++) {
    const start = starts[number]!;
    if (start >= to) break;
    const end = Math.min(to, starts[number + 1]!);
    yield { piece: pieces[number]!, start, from: Math.max(from, start) - start, to: end - start };
  }
}

/** The stretch of `part` around `row`, and whether nothing of it is left to verify. */
export async function mergedStretch(
  reading: PartReading,
  part: MergedPart,
  row: number,
  verify: Verify,
): Promise<Stretch & { readonly trusted: boolean }> {
  const { starts, pieces } = part.index;
  const number = stretchAt(starts, row);
  const [start, end, piece] = [starts[number]!, starts[number + 1]!, pieces[number]!];
  if (piece.lane < 0) {
    const isTrusted = verify === 'never' || (verify === 'first' && reading.sound.has(piece));
    return { from: start, to: end, trusted: isTrusted };
  }
  const { set, row: place } = rowOf(part.index, piece, row - start);
  const found = await setStretch(reading, set, place, firstOf(set).rows, verify);
  const shift = row - place;
  return { from: Math.max(start, found.from + shift), to: Math.min(end, found.to + shift), trusted: found.trusted };
}

/**
 * The rows between `from` and `to` of `part` at which other record batches begin. The rows of a piece that is put together
 * are whole or damaged together: whatever is read of it, all its batches are checked.
 */
export async function mergedCuts(reading: PartReading, part: MergedPart, from: number, to: number): Promise<number[]> {
  const { starts, pieces } = part.index;
  const cuts: number[] = [];
  for (let number = stretchAt(starts, from); number < pieces.length && starts[number]! < to; number++) {
    const start = starts[number]!;
    if (start > from) cuts.push(start);
    const piece = pieces[number]!;
    if (piece.lane < 0) continue;
    const { set, row } = rowOf(part.index, piece, Math.max(from, start) - start);
    const inside = await setCuts(reading, set, row, row + Math.min(to, start + piece.rows) - Math.max(from, start));
    for (const cut of inside) cuts.push(Math.max(from, start) + cut - row);
  }
  return cuts;
}

/** The index of `part`; one that was made of keys whose checksums were not looked at is made again for who wants them. */
async function checkedIndex(reading: PartReading, part: MergedPart, verify: Verify): Promise<MergeIndex> {
  if (part.index.verified || verify === 'never') return part.index;
  const index = await mergeIndex({ ...reading, verify }, part.run);
  if (index.starts.join() === part.index.starts.join()) return index;
  const { table, fragment } = part.run.sets[0]!.layers[0]!;
  const file = `${reading.stores[table]!.uri}/${fragment.files[0]!.path}`;
  throw corrupt(file, `${part.rows} rows with the files beside it`, `${index.rows}`);
}

/** Rows of a piece: `picked` of them, counted in the piece, or all of the span. */
async function readPiece(
  reading: PartReading,
  index: MergeIndex,
  { piece, from, to }: PieceSpan,
  picked: Int32Array | undefined,
  options: PartOptions,
): Promise<Data[]> {
  if (piece.lane >= 0) {
    const { set, row } = rowOf(index, piece, from);
    if (picked === undefined) return readSetRows(reading, set, row, row + to - from, options);
    return pickSetRows(
      reading,
      set,
      picked.map((at) => row + at - from),
      options,
    );
  }
  const work = async (): Promise<Data[]> => {
    const cells = await placePiece(reading, index, { piece, from, to }, picked, options);
    return filled(reading.plan, cells.take(), picked === undefined ? to - from : picked.length);
  };
  // Reads are shared by all who want a batch, so no signal ends them: who has left does not wait for them.
  return abortable(work(), options.signal, 'The scan');
}

/** Reads the cells of a piece that is put together: of rows `picked`, counted in the piece, or of all of the span. */
async function placePiece(
  reading: PartReading,
  index: MergeIndex,
  { piece, from, to }: Omit<PieceSpan, 'start'>,
  picked: Int32Array | undefined,
  options: PartOptions & { readonly inOrder?: boolean },
): Promise<PlacedCells> {
  const verify = options.verify ?? reading.verify;
  const checked = verify === 'never' ? [] : await checkPiece(reading, index, piece, verify);
  try {
    const entries = await pieceEntries({ ...reading, verify }, index, piece);
    const cells = { verify, inOrder: options.inOrder ?? false };
    if (picked === undefined) {
      const alone = laneRows(entries, index.lanes, piece, from, to);
      const found = alone === undefined ? undefined : await placeLaneCells(reading, alone, cells);
      if (found !== undefined) return found;
    }
    const placed = placeRows(entries, index.lanes, piece, from, to);
    if (picked === undefined) return await placeCells(reading, placed, to - from, cells);
    return await placeCells(reading, onlyPicked(placed, picked, from, to), picked.length, cells);
  } finally {
    for (const { release } of checked) release();
  }
}

/**
 * Reads the cells of rows `from … to` of `part` beforehand, to be put together later; undefined where they are not of one
 * piece that is put together.
 */
export function placeMergedRows(
  reading: PartReading,
  part: MergedPart,
  from: number,
  to: number,
  options: PartOptions,
): Promise<PlacedCells> | undefined {
  const number = stretchAt(part.index.starts, from);
  if (part.index.starts[number + 1]! < to || part.index.pieces[number]!.lane >= 0) return undefined;
  const work = async (): Promise<PlacedCells> => {
    const index = await checkedIndex(reading, part, options.verify ?? reading.verify);
    const [span] = piecesIn(index, from, to);
    return placePiece(reading, index, span!, undefined, { ...options, inOrder: true });
  };
  return work();
}

/** Row `row` of a piece that is rows of one lane, in its set. */
function rowOf({ lanes }: MergeIndex, piece: MergePiece, row: number): { set: KeySet; row: number } {
  const { sets, starts } = lanes[piece.lane]!;
  const place = piece.from[piece.lane]! + row;
  const number = stretchAt(starts, place);
  return { set: sets[number]!, row: place - starts[number]! };
}

/**
 * Reads all batches of a piece whose checksums are still to be looked at, whatever part of it is wanted. Those that fit
 * into memory are given, to be released: else what is about to be read of them could be read twice.
 */
async function checkPiece(
  reading: PartReading,
  index: MergeIndex,
  piece: MergePiece,
  verify: Verify,
): Promise<HeldBatch[]> {
  if (verify === 'first' && reading.sound.has(piece)) return [];
  const unread = (await batchesOf(reading, index, piece)).filter(
    ({ file, batch }) => !trusted(file.file, batch, { columns: file.numbers, verify }),
  );
  const left = unread.values();
  const held: HeldBatch[] = [];
  let bytes = 0;
  const work = async (): Promise<void> => {
    for (const { file, batch } of left) {
      const read = await wholeBatch(reading, file, batch, verify);
      for (const { byteLength } of read.columns) bytes += byteLength;
      if (bytes <= checkedBytesMax) held.push(read);
      else read.release();
    }
  };
  const failed = (await Promise.allSettled(Array.from({ length: readConcurrency }, work))).find(isRejected);
  if (failed !== undefined) {
    for (const { release } of held) release();
    throw failed.reason;
  }
  reading.sound.add(piece);
  return held;
}

function isRejected(settled: PromiseSettledResult<void>): settled is PromiseRejectedResult {
  return settled.status === 'rejected';
}

/** The place in its set of row `row` of `part`, where its piece is rows of one lane. */
export function pieceSource({ index }: MergedPart, row: number): { set: KeySet; row: number } | undefined {
  const number = stretchAt(index.starts, row);
  const piece = index.pieces[number]!;
  return piece.lane < 0 ? undefined : rowOf(index, piece, row - index.starts[number]!);
}

/** The record batches of chosen columns that the piece around `row` of `part` is made from. */
export function pieceBatches(
  reading: PartReading,
  { index }: MergedPart,
  row: number,
): Promise<{ readonly file: OpenedFile; readonly batch: number }[]> {
  return batchesOf(reading, index, index.pieces[stretchAt(index.starts, row)]!);
}

async function batchesOf(
  reading: PartReading,
  { lanes }: MergeIndex,
  piece: MergePiece,
): Promise<{ file: OpenedFile; batch: number }[]> {
  const batches: { file: OpenedFile; batch: number }[] = [];
  for (const [number, { sets, starts }] of lanes.entries()) {
    const [from, to] = [piece.from[number]!, piece.to[number]!];
    for (let set = stretchAt(starts, from); set < sets.length && starts[set]! < to; set++) {
      for (const file of await openedFiles(reading, sets[set]!)) {
        const { rowStarts, index } = file.file;
        let batch = stretchAt(rowStarts, Math.max(0, from - starts[set]!));
        for (; batch < index.batches.length && starts[set]! + rowStarts[batch]! < to; batch++) {
          batches.push({ file, batch });
        }
      }
    }
  }
  return batches;
}
