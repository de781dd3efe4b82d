import { checkPath } from '../storage/object-path.js';
import {
  appended,
  type ByteList,
  packByteList,
  packNumbers,
  parseByteList,
  parseUint32,
  parseWholes,
  stringAt,
} from './byte-list.js';
import { checkBatchKeys } from './parse-commit.js';
import { storedList, storedObject, storedWhole, untrusted } from './stored-value.js';
import type { Fragment } from './version.js';

/** A number, or a truth as 0 or 1, of every fragment that is kept in an array of its own. */
type NumberField = 'version' | 'commit' | 'ordinal' | 'rows' | 'batchRows' | 'deletes';

/**
 * How each field of a fragment is kept: a field that comes to `Fragment` must come here as well, or a checkpoint would
 * lose it.
 */
const fields: Readonly<Record<keyof Fragment, 'number' | 'bytes' | 'batches' | 'files'>> = {
  version: 'number',
  commit: 'number',
  ordinal: 'number',
  rows: 'number',
  batchRows: 'number',
  deletes: 'number',
  keyMin: 'bytes',
  keyMax: 'bytes',
  keyDigest: 'bytes',
  batchKeys: 'batches',
  files: 'files',
};

const numberFields = Object.keys(fields).filter((name) => fields[name as keyof Fragment] === 'number') as NumberField[];

/** Fragments as columns: opening a version of 100,000 of them makes no array and no string of one that is not asked for. */
interface FragmentColumns {
  readonly count: number;
  readonly numbers: Readonly<Record<NumberField, Uint32Array>>;
  readonly keyMin: ByteList;
  readonly keyMax: ByteList;
  readonly keyDigest: ByteList;
  /** Keys of all batches of all fragments; those of fragment `n` end at `batchEnds[n]`. */
  readonly batchKeys: ByteList;
  readonly batchEnds: Uint32Array;
  /** All files of all fragments; those of fragment `n` end at `fileEnds[n]`. */
  readonly fileEnds: Uint32Array;
  readonly paths: ByteList;
  readonly sizes: Float64Array;
  /** The columns of each file, as an index into `columnSets`, of which there are few. */
  readonly sets: Uint32Array;
  readonly columnSets: readonly (readonly number[])[];
}

/** `fragments` as a checkpoint stores them: those that came from one, as most do, are copied in one piece. */
export function packFragments(fragments: readonly Fragment[]): object {
  const { columns: known, count } = PackedFragment.leading(fragments);
  const rest = fragments.slice(count);
  const batchCount = count === 0 ? 0 : known!.batchEnds[count - 1]!;
  const fileCount = count === 0 ? 0 : known!.fileEnds[count - 1]!;
  const batchKeys = rest.flatMap((fragment) => fragment.batchKeys);
  const files = rest.flatMap((fragment) => fragment.files);
  const columnSets = new Map((known?.columnSets ?? []).map((set, at) => [set.join(), at]));
  const sets = files.map(({ columns }) => {
    const set = columns.join();
    const number = columnSets.get(set) ?? columnSets.size;
    columnSets.set(set, number);
    return number;
  });
  const numbers = numberFields.map((name) => [
    name,
    packNumbers(
      joined(
        known?.numbers[name],
        count,
        rest.map((of) => Number(of[name])),
      ),
    ),
  ]);
  const bytes = (name: 'keyMin' | 'keyMax' | 'keyDigest'): object => {
    const strings = rest.map((of) => of[name]);
    return packByteList(appended(known?.[name], count, strings));
  };
  const paths = files.map(({ path }) => Buffer.from(path, 'utf8'));
  const sizes = new Float64Array(fileCount + files.length);
  if (known !== undefined) sizes.set(known.sizes.subarray(0, fileCount));
  for (const [at, file] of files.entries()) sizes[fileCount + at] = file.bytes;
  return {
    count: fragments.length,
    numbers: Object.fromEntries(numbers),
    keyMin: bytes('keyMin'),
    keyMax: bytes('keyMax'),
    keyDigest: bytes('keyDigest'),
    batchEnds: packNumbers(joined(known?.batchEnds, count, endsOf(rest, batchCount, 'batchKeys'))),
    batchKeys: packByteList(appended(known?.batchKeys, batchCount, batchKeys)),
    fileEnds: packNumbers(joined(known?.fileEnds, count, endsOf(rest, fileCount, 'files'))),
    paths: packByteList(appended(known?.paths, fileCount, paths)),
    sizes: packNumbers(sizes),
    sets: packNumbers(joined(known?.sets, fileCount, sets)),
    columnSets: Array.from(columnSets.keys(), (set) => (set === '' ? [] : set.split(',').map(Number))),
  };
}

/** The first `count` of `before`, and `numbers` behind them. */
function joined(before: Uint32Array | undefined, count: number, numbers: readonly number[]): Uint32Array {
  const all = new Uint32Array(count + numbers.length);
  if (before !== undefined) all.set(before.subarray(0, count));
  all.set(numbers, count);
  return all;
}

/** Where the lists of `fragments` end in one list of all, behind `start` of others. */
function endsOf(fragments: readonly Fragment[], start: number, list: 'batchKeys' | 'files'): number[] {
  return fragments.map((fragment) => (start += fragment[list].length));
}

/** The fragments that `raw` holds. @throws SpiralError `corrupt_log` for what {@link packFragments} did not write. */
export function parseFragments(raw: unknown): Fragment[] {
  const stored = storedObject(raw, 'the fragments');
  const count = storedWhole(stored['count'], 'the number of fragments', 0, 2 ** 32 - 1);
  const numbers = storedObject(stored['numbers'], 'the numbers of fragments');
  const batchEnds = parseUint32(stored['batchEnds'], count, 'the batches of fragments');
  const fileEnds = parseUint32(stored['fileEnds'], count, 'the files of fragments');
  const files = fileEnds.at(-1) ?? 0;
  const columns: FragmentColumns = {
    count,
    numbers: Object.fromEntries(
      numberFields.map((name) => [name, parseUint32(numbers[name], count, `the ${name} of fragments`)]),
    ) as Record<NumberField, Uint32Array>,
    keyMin: parseByteList(stored['keyMin'], count, 'the first keys'),
    keyMax: parseByteList(stored['keyMax'], count, 'the last keys'),
    keyDigest: parseByteList(stored['keyDigest'], count, 'the digests of keys'),
    batchKeys: parseByteList(stored['batchKeys'], batchEnds.at(-1) ?? 0, 'the keys of record batches'),
    batchEnds,
    fileEnds,
    paths: parseByteList(stored['paths'], files, 'the paths of files'),
    sizes: parseWholes(stored['sizes'], files, 'the bytes of files'),
    sets: parseUint32(stored['sets'], files, 'the columns of files'),
    columnSets: storedList(stored['columnSets'], 'sets of columns').map((set) =>
      storedList(set, 'a set of columns').map((id) => storedWhole(id, "a column's number")),
    ),
  };
  checkColumns(columns);
  return Array.from({ length: count }, (_, at) => new PackedFragment(columns, at));
}

/** What a log entry's fragments are checked for, for all at once. */
function checkColumns({ count, numbers, batchEnds, fileEnds, sets, columnSets }: FragmentColumns): void {
  for (let at = 0; at < count; at++) {
    const [rows, batchRows] = [numbers.rows[at]!, numbers.batchRows[at]!];
    const batches = batchEnds[at]! - (at === 0 ? 0 : batchEnds[at - 1]!);
    const files = fileEnds[at]! - (at === 0 ? 0 : fileEnds[at - 1]!);
    if (rows === 0 || batchRows === 0 || batches !== Math.ceil(rows / batchRows) || files < 1) {
      throw untrusted(`fragment ${at}`, 'rows in batches and files', { rows, batchRows, batches, files });
    }
    const deletes = numbers.deletes[at]!;
    if (deletes > 1) throw untrusted(`whether fragment ${at} deletes`, '0 or 1', deletes);
  }
  for (const set of sets) if (set >= columnSets.length) throw untrusted('the columns of a file', 'a set there is', set);
}

/** One fragment of a checkpoint; what it holds is made when it is first asked for. */
class PackedFragment implements Fragment {
  readonly #columns: FragmentColumns;
  readonly #at: number;
  #keyMin: Uint8Array | undefined;
  #keyMax: Uint8Array | undefined;
  #batchKeys: readonly Uint8Array[] | undefined;
  #files: Fragment['files'] | undefined;

  constructor(columns: FragmentColumns, at: number) {
    this.#columns = columns;
    this.#at = at;
  }

  /** How many of `fragments`, from the first on, are those of one checkpoint in their order, and its columns. */
  static leading(fragments: readonly Fragment[]): { columns: FragmentColumns | undefined; count: number } {
    const [first] = fragments;
    if (first === undefined || !(#columns in first)) return { columns: undefined, count: 0 };
    const columns = first.#columns;
    let count = 0;
    for (; count < fragments.length; count++) {
      const fragment = fragments[count]!;
      if (!(#columns in fragment) || fragment.#columns !== columns || fragment.#at !== count) break;
    }
    return { columns, count };
  }

  get version(): number {
    return this.#columns.numbers.version[this.#at]!;
  }

  get commit(): number {
    return this.#columns.numbers.commit[this.#at]!;
  }

  get ordinal(): number {
    return this.#columns.numbers.ordinal[this.#at]!;
  }

  get rows(): number {
    return this.#columns.numbers.rows[this.#at]!;
  }

  get batchRows(): number {
    return this.#columns.numbers.batchRows[this.#at]!;
  }

  get deletes(): boolean {
    return this.#columns.numbers.deletes[this.#at]! === 1;
  }

  get keyMin(): Uint8Array {
    this.#keyMin ??= stringAt(this.#columns.keyMin, this.#at);
    return this.#keyMin;
  }

  get keyMax(): Uint8Array {
    this.#keyMax ??= stringAt(this.#columns.keyMax, this.#at);
    return this.#keyMax;
  }

  get keyDigest(): Uint8Array {
    return stringAt(this.#columns.keyDigest, this.#at);
  }

  /** @throws SpiralError `corrupt_log` for keys that are not in order. */
  get batchKeys(): readonly Uint8Array[] {
    if (this.#batchKeys === undefined) {
      const { batchEnds, batchKeys } = this.#columns;
      const keys = own(batchEnds, this.#at, (at) => stringAt(batchKeys, at));
      checkBatchKeys(keys, this.keyMin, this.keyMax);
      this.#batchKeys = keys;
    }
    return this.#batchKeys;
  }

  /** @throws SpiralError `path_outside_root` and `invalid_argument` for a path that leads out of the table's root. */
  get files(): Fragment['files'] {
    const { fileEnds, paths, sizes, sets, columnSets } = this.#columns;
    this.#files ??= own(fileEnds, this.#at, (at) => ({
      path: checkPath(Buffer.from(stringAt(paths, at)).toString('utf8')),
      bytes: sizes[at]!,
      columns: columnSets[sets[at]!]!,
    }));
    return this.#files;
  }
}

/** What `make` gives for the numbers that belong to `at`. */
function own<T>(ends: Uint32Array, at: number, make: (number: number) => T): T[] {
  const from = at === 0 ? 0 : ends[at - 1]!;
  return Array.from({ length: ends[at]! - from }, (_, step) => make(from + step));
}
