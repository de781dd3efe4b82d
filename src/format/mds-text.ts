import { isUtf8 } from 'node:buffer';
import { type Data, DataType, Field, Float64, Int64, Struct, Utf8 } from 'apache-arrow';
import { makeColumn, noNulls } from '../arrow/build-data.js';
import { SpiralError, shown } from '../core/errors.js';
import { appendFields } from './json-cells.js';
import { JsonText } from './json-text.js';
import { makeCells } from './make-cells.js';
import type { MdsShard } from './mds-index.js';
import { pythonFloat } from './mds-values.js';
import { StructCells } from './nested-cells.js';
import { shownText, type TextPlace } from './text-place.js';

/** What the columns of shards of text become, by their encoding. */
export type TextTypes = ReadonlyMap<string, DataType>;

/** Ints as int64, or as text where they may have more digits. */
export function textTypes(intsAsText: boolean): TextTypes {
  return new Map<string, DataType>([
    ['str', new Utf8()],
    ['int', intsAsText ? new Utf8() : new Int64()],
    ['float', new Float64()],
  ]);
}

/** Samples of a shard of text: sample `i` is bytes `offsets[i] … offsets[i + 1]`, which end with a newline. */
export interface MdsLines {
  readonly bytes: Buffer;
  readonly offsets: Float64Array;
}

/** Columns number `wanted` of `shard`, of `lines`. @throws SpiralError `corrupt_file`. */
export function readMdsText(
  shard: MdsShard,
  types: TextTypes,
  lines: MdsLines,
  wanted: readonly number[],
  place: TextPlace,
): Data[] {
  const read = shard.format === 'json' ? readJson : readSeparated;
  return read(shard, types, lines, wanted, place);
}

function readJson(
  shard: MdsShard,
  types: TextTypes,
  lines: MdsLines,
  wanted: readonly number[],
  place: TextPlace,
): Data[] {
  const fields = [...new Set(wanted)].map((number) => {
    const { name, encoding } = shard.columns[number]!;
    return new Field(name, types.get(encoding)!, true);
  });
  const rows = lines.offsets.length - 1;
  const cells = new StructCells({ type: new Struct(fields), column: '', place, rows }, makeCells);
  const text = new JsonText(place);
  eachLine(shard, lines, place, (from, to) => {
    text.begin(lines.bytes, from, to);
    if (text.kind() !== 'struct') throw text.fault('an object');
    appendFields(text, cells);
    text.finish();
  });
  const data = new Map(fields.map(({ name }, at) => [name, cells.children[at]!.data()]));
  return wanted.map((number) => data.get(shard.columns[number]!.name)!);
}

function readSeparated(
  shard: MdsShard,
  types: TextTypes,
  lines: MdsLines,
  wanted: readonly number[],
  place: TextPlace,
): Data[] {
  const separator = Buffer.from(shard.separator);
  const { bytes } = lines;
  const count = shard.columns.length;
  const rows = lines.offsets.length - 1;
  const starts = wanted.map(() => new Int32Array(rows));
  const ends = wanted.map(() => new Int32Array(rows));
  const bounds = new Int32Array(2 * count);
  eachLine(shard, lines, place, (from, to, row) => {
    let [at, column] = [from, 0];
    for (; column < count; column++) {
      const found = bytes.indexOf(separator, at);
      const end = found < 0 || found > to - separator.length ? to : found;
      bounds[2 * column] = at;
      bounds[2 * column + 1] = end;
      if (end === to) break;
      at = end + separator.length;
    }
    if (column !== count - 1) {
      const found = column >= count ? `more than ${count}` : `${column + 1}`;
      throw place.corrupt(`${count} values`, found, 'The file is damaged: restore it from a copy.');
    }
    for (const [index, number] of wanted.entries()) {
      starts[index]![row] = bounds[2 * number]!;
      ends[index]![row] = bounds[2 * number + 1]!;
    }
  });
  const first = place.row - Math.max(0, rows - 1);
  return wanted.map((number, index) => {
    const { name, encoding } = shard.columns[number]!;
    const column = { bytes, starts: starts[index]!, ends: ends[index]!, first, name, place };
    const type = types.get(encoding)!;
    if (DataType.isInt(type)) return wholeNumbers(column);
    return DataType.isFloat(type) ? floats(column) : texts(column);
  });
}

interface Column {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** The row of the shard that the first value is of. */
  readonly first: number;
  readonly name: string;
  readonly place: TextPlace;
}

function wholeNumbers({ bytes, starts, ends, first, name, place }: Column): Data {
  const values = BigInt64Array.from(starts, (from, at) => {
    const text = bytes.toString('latin1', from, ends[at]!).trim();
    const value = /^[+-]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
    if (value !== undefined && BigInt.asIntN(64, value) === value) return value;
    place.row = first + at;
    throw place.corrupt(
      'a whole number of 64 bits',
      shownText(bytes, from, ends[at]!),
      'Mend the row, or read ints as text with `intsAsText`.',
      name,
    );
  });
  return makeColumn(new Int64(), starts.length, noNulls, { values });
}

function floats({ bytes, starts, ends, first, name, place }: Column): Data {
  const values = Float64Array.from(starts, (from, at) => {
    const value = pythonFloat(bytes.toString('latin1', from, ends[at]!));
    if (value !== undefined) return value;
    place.row = first + at;
    throw place.corrupt('a number', shownText(bytes, from, ends[at]!), 'Mend the row.', name);
  });
  return makeColumn(new Float64(), starts.length, noNulls, { values });
}

function texts({ bytes, starts, ends }: Column): Data {
  const offsets = new Int32Array(starts.length + 1);
  for (let at = 0; at < starts.length; at++) offsets[at + 1] = offsets[at]! + ends[at]! - starts[at]!;
  const values = new Uint8Array(offsets[starts.length]!);
  for (let at = 0; at < starts.length; at++) bytes.copy(values, offsets[at]!, starts[at]!, ends[at]!);
  return makeColumn(new Utf8(), starts.length, noNulls, { offsets, values });
}

/** Calls `read` with each line, without its newline; `place` stands at it meanwhile. */
function eachLine(
  { newline }: MdsShard,
  { bytes, offsets }: MdsLines,
  place: TextPlace,
  read: (from: number, to: number, row: number) => void,
): void {
  const end = Buffer.from(newline);
  const [row, byte] = [place.row, place.byte];
  const isSound = isUtf8(bytes);
  for (let at = 0; at + 1 < offsets.length; at++) {
    const [from, to] = [offsets[at]!, offsets[at + 1]!];
    place.row = row + at;
    place.byte = byte + from;
    const line = bytes.subarray(from, to);
    if (!isSound && !isUtf8(line)) throw place.notUtf8();
    if (to - from < end.length || !line.subarray(line.length - end.length).equals(end)) {
      throw place.corrupt(`a line that ends with ${shown(newline)}`, 'another end', 'The file is damaged: restore it.');
    }
    read(from, to - end.length, at);
  }
}

/** Refuses columns of types that shards of text do not have. */
export function checkTextColumns(shard: MdsShard, where: string, types: TextTypes): void {
  for (const { name, encoding } of shard.columns) {
    if (types.has(encoding)) continue;
    throw new SpiralError(
      'unsupported_type',
      `Expected column '${name}' of ${where} to be 'str', 'int' or 'float', as shards of text have them, found ${shown(encoding)}.`,
      { details: { file: where, column: name, found: encoding } },
    );
  }
}
