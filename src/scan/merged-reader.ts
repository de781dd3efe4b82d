import type { RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { abortable } from '../core/abort.js';
import { readConcurrency } from '../core/limits.js';
import { stretchAt } from '../core/search.js';
import type { Verify } from '../core/verify.js';
import { trusted } from '../format/arrow-read.js';
import { corrupt } from '../format/corrupt.js';
import type { MergePiece } from '../table/key-merge.js';
import { firstOf, type KeySet } from '../table/key-run.js';
import type { MergeIndex } from './merge-index.js';
import { mergeIndex, pieceEntries } from './merge-keys.js';
import { mergedColumns, wholeBatch } from './merged-columns.js';
import type { MergedPart } from './part.js';
import { placeRows } from './placed-rows.js';
import type { OpenedFile } from './set-files.js';
import { openedFiles, outputBatch, type PartOptions, type PartReading, readSetRows, setCuts } from './set-reader.js';

/** Rows `from … to` of `part`, of each cell the newest, as the plan's schema has them. */
export async function readMergedRows(
  reading: PartReading,
  part: MergedPart,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<RecordBatch> {
  const verify = options.verify ?? reading.verify;
  const index = await checkedIndex(reading, part, verify);
  const reads: Promise<RecordBatch>[] = [];
  for (let number = stretchAt(index.starts, from); number < index.pieces.length; number++) {
    const start = index.starts[number]!;
    if (start >= to) break;
    const end = Math.min(to, index.starts[number + 1]!);
    reads.push(readPiece(reading, index, index.pieces[number]!, Math.max(from, start) - start, end - start, options));
  }
  const batches = await Promise.all(reads);
  if (batches.length === 1) return batches[0]!;
  const { schema } = reading.plan;
  return gatherBatch(schema, batchSources(schema, batches), allRanges(batches.map((batch) => batch.numRows)));
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
  const file = firstOf(part.run.sets[0]!).files[0]!.path;
  throw corrupt(`${reading.store.uri}/${file}`, `${part.rows} rows with the files beside it`, `${index.rows}`);
}

async function readPiece(
  reading: PartReading,
  index: MergeIndex,
  piece: MergePiece,
  from: number,
  to: number,
  options: PartOptions,
): Promise<RecordBatch> {
  const { signal } = options;
  if (piece.lane >= 0) {
    const { set, row } = rowOf(index, piece, from);
    return readSetRows(reading, set, row, row + to - from, options);
  }
  const verify = options.verify ?? reading.verify;
  const work = async (): Promise<RecordBatch> => {
    if (verify !== 'never') await checkPiece(reading, index, piece, verify);
    const entries = await pieceEntries({ ...reading, verify }, index, piece);
    const placed = placeRows(entries, index.lanes, piece, from, to);
    const columns = await mergedColumns(reading, placed, to - from, verify);
    return outputBatch(reading.plan, columns, to - from);
  };
  // Reads are shared by all who want a batch, so no signal ends them: who has left does not wait for them.
  return abortable(work(), signal, 'The scan');
}

/** Row `row` of a piece that is rows of one lane, in its set. */
function rowOf({ lanes }: MergeIndex, piece: MergePiece, row: number): { set: KeySet; row: number } {
  const { sets, starts } = lanes[piece.lane]!;
  const place = piece.from[piece.lane]! + row;
  const number = stretchAt(starts, place);
  return { set: sets[number]!, row: place - starts[number]! };
}

/** Reads all batches of a piece whose checksums are still to be looked at, whatever part of it is wanted. */
async function checkPiece(reading: PartReading, index: MergeIndex, piece: MergePiece, verify: Verify): Promise<void> {
  if (verify === 'first' && reading.sound.has(piece)) return;
  const unread = (await batchesOf(reading, index, piece)).filter(
    ({ file, batch }) => !trusted(file.file, batch, { columns: file.numbers, verify }),
  );
  const left = unread.values();
  const work = async (): Promise<void> => {
    for (const { file, batch } of left) (await wholeBatch(reading, file, batch, verify)).release();
  };
  await Promise.all(Array.from({ length: readConcurrency }, work));
  reading.sound.add(piece);
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
