import type { Data } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { FileReader, type FileReading } from './file-reader.js';
import type { FoundRows } from './key-blocks.js';
import type { Taking } from './take.js';

/** Rows that a file may have to be taken from by their numbers. */
const rowsMax = 2 ** 31 - 1;

/** How rows of files are taken by their keys, which tell where they are: nothing is read to find them. */
export function fileTaking(reading: FileReading): Taking {
  const { plan, files, effects } = reading;
  const numbers = new Map(files.files.map(({ pinned }, number) => [pinned.path, number]));
  const rowsOf = (part: number): number => files.files[part]!.rowStarts.at(-1)!;
  return {
    plan,
    effects,
    columns: plan.all,
    find: async (_, keys): Promise<FoundRows> => {
      const [paths, rows] = keys as readonly [Data, Data];
      const found: FoundRows = { part: new Int32Array(paths.length).fill(-1), row: new Int32Array(paths.length) };
      const pathAt = pathsOf(paths);
      for (let at = 0; at < paths.length; at++) {
        const part = numbers.get(pathAt(at));
        const row = Number((rows.values as BigInt64Array)[at]!);
        if (part === undefined || row < 0 || row >= rowsOf(part)) continue;
        if (row > rowsMax) throw tooFar(`${files.set.root}/${pathAt(at)}`, row);
        found.part[at] = part;
        found.row[at] = row;
      }
      return found;
    },
    pick: (part, rows, options) => {
      const every = { from: 0, to: rows.length };
      // Wanted whole is nothing: what is read is kept for the keys to come.
      return new FileReader(reading, part, { from: 0, to: 0 }).pick(plan.all, 0, rows, every, options);
    },
  };
}

/** The texts of `data`, decoded once for each that follows another. */
function pathsOf(data: Data): (row: number) => string {
  const bytes = data.values as Uint8Array;
  const offsets = data.valueOffsets as Int32Array;
  let [last, text]: [Uint8Array, string] = [new Uint8Array(0), ''];
  return (row) => {
    const own = bytes.subarray(offsets[row]!, offsets[row + 1]!);
    if (Buffer.compare(own, last) !== 0) [last, text] = [own, Buffer.from(own).toString()];
    return text;
  };
}

function tooFar(file: string, row: number): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected rows up to number ${rowsMax} to be taken by their keys, got row ${row} of ${file}. Scan with a filter on 'row'.`,
    { details: { file, row, max: rowsMax } },
  );
}
