import type { Data } from 'apache-arrow';
import type { Verify } from '../core/verify.js';
import { firstOf } from '../table/key-run.js';
import { mergedCuts, mergedStretch, pickMergedRows, readMergedRows } from './merged-reader.js';
import type { Part } from './part.js';
import {
  type PartOptions,
  type PartReading,
  pickSetRows,
  readSetRows,
  type Stretch,
  setCuts,
  setReadsAlone,
  setStretch,
} from './set-reader.js';

/** Rows `from … to` of `part`: the chosen columns by their slots. */
export async function readPart(
  reading: PartReading,
  part: Part,
  from: number,
  to: number,
  options?: PartOptions,
): Promise<Data[]> {
  if (reading.plan.columns.length === 0) return [];
  if ('index' in part) return readMergedRows(reading, part, from, to, options);
  return readSetRows(reading, part.set, from, to, options);
}

/** The rows `picked` of `part`, ascending: the chosen columns by their slots. */
export async function pickPart(
  reading: PartReading,
  part: Part,
  picked: Int32Array,
  options?: PartOptions,
): Promise<Data[]> {
  if (reading.plan.columns.length === 0) return [];
  if ('index' in part) return pickMergedRows(reading, part, picked, options);
  return pickSetRows(reading, part.set, picked, options);
}

/** The rows between `from` and `to` of `part` at which other record batches or pieces begin. */
export function partCuts(reading: PartReading, part: Part, from: number, to: number): Promise<number[]> {
  if ('index' in part) return mergedCuts(reading, part, from, to);
  return setCuts(reading, part.set, from, to);
}

/** The stretch of `part` around `row` by the files of the chosen columns, and whether nothing of it is left to verify. */
export function partStretch(
  reading: PartReading,
  part: Part,
  row: number,
  verify: Verify,
): Promise<Stretch & { readonly trusted: boolean }> {
  if ('index' in part) return mergedStretch(reading, part, row, verify);
  return setStretch(reading, part.set, row, firstOf(part.set).rows, verify);
}

/** Whether just the bytes of rows around `row` of `part` are read, at once. */
export function partReadsAlone(reading: PartReading, part: Part, row: number, verify?: Verify): boolean {
  return !('index' in part) && setReadsAlone(reading, part.set, row, verify);
}
