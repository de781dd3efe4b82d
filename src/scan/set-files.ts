import { sameType } from '../arrow/schema.js';
import { typeWords } from '../arrow/words.js';
import type { ArrowFile } from '../format/arrow-file.js';
import { corrupt } from '../format/corrupt.js';
import type { FileCache } from '../format/file-cache.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, pathText } from '../table/column.js';
import { firstOf, type KeySet, standingLayers } from '../table/key-run.js';
import type { ColumnChoice } from './column-choice.js';

/** A file with the newest cells of some of the columns of a choice, for the keys of a set. */
export interface SetFile {
  /** Names it among the files of all tables of a scan. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** The place of its fragment among all: of two cells of one table that of the higher order is the newer. */
  readonly order: number;
  readonly table: number;
  /** Which of the chosen columns it holds, and as which columns of the file. */
  readonly slots: readonly number[];
  readonly numbers: readonly number[];
}

/** A {@link SetFile} that is open, and was found to be what the log says. */
export interface OpenedFile extends SetFile {
  readonly file: ArrowFile;
  readonly columns: readonly Column[];
  /** Where in `slots` each of them is. */
  readonly places: ReadonlyMap<number, number>;
}

/** The files of `set` that have chosen columns, of each table the newest first. A column that none has is null in every row. */
export function setFiles({ slots, columns }: Omit<ColumnChoice, 'keys'>, set: KeySet): SetFile[] {
  const files: SetFile[] = [];
  const taken = new Uint8Array(columns.length);
  let left = columns.length;
  for (const { fragment, order, table } of standingLayers(set)) {
    if (left === 0) break;
    for (const { path, bytes, columns: ids } of fragment.files) {
      const own = { slots: [] as number[], numbers: [] as number[] };
      for (let number = 0; number < ids.length; number++) {
        const slot = slots[ids[number]!] ?? -1;
        if (slot < 0 || taken[slot] === 1) continue;
        taken[slot] = 1;
        left--;
        own.slots.push(slot);
        own.numbers.push(number);
      }
      if (own.slots.length > 0) files.push({ name: `${table} ${path}`, path, bytes, order, table, ...own });
    }
  }
  return files;
}

/** Bytes of the files of `set` that hold cells which no newer layer of it covers, whatever a scan takes of them. */
export function setBytes(set: KeySet): number {
  let bytes = 0;
  const covered = new Set<number>();
  const isOne = set.layers.length === 1;
  for (const { fragment } of standingLayers(set)) {
    for (const file of fragment.files) {
      if (isOne || file.columns.some((id) => !covered.has(id))) bytes += file.bytes;
      if (!isOne) for (const id of file.columns) covered.add(id);
    }
  }
  return bytes;
}

/** Opens the files of `set`. @throws SpiralError `corrupt_file` for one that is not what the log says. */
export function openSet(
  choice: ColumnChoice,
  stores: readonly ObjectStore[],
  cache: FileCache,
  set: KeySet,
): Promise<OpenedFile[]> {
  return Promise.all(
    setFiles(choice, set).map(async (stored): Promise<OpenedFile> => {
      const columns = stored.slots.map((slot) => choice.columns[slot]!);
      const file = await cache.open(stores[stored.table]!, stored.path, stored.bytes);
      checkFile(file, firstOf(set).rows, stored.numbers, columns);
      return { ...stored, file, columns, places: new Map(stored.slots.map((slot, at) => [slot, at])) };
    }),
  );
}

/** A file that is whole but of another table, or put in another's place, must not pass for the one that was written. */
export function checkFile(file: ArrowFile, rows: number, numbers: readonly number[], columns: readonly Column[]): void {
  if (file.rows !== rows) throw corrupt(file.where, `${rows} rows`, `${file.rows}`);
  for (const [at, { path, type }] of columns.entries()) {
    const field = file.schema.fields[numbers[at]!];
    if (field !== undefined && sameType(field.type, type)) continue;
    const found = field === undefined ? `only ${file.schema.fields.length}` : typeWords(field.type);
    throw corrupt(file.where, `'${pathText(path)}' (${typeWords(type)}) as column ${numbers[at]}`, found);
  }
}
