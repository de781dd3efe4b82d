import { type Data, DataType, type RecordBatch, type Schema, TimeUnit } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { valueReader } from '../arrow/rows.js';
import { SpiralError, shown } from '../core/errors.js';
import type { FileEncoder } from './file-encoder.js';

/** Gives the JSON text of one row of a column. */
export type JsonReader = (index: number) => string;

/**
 * Writes JSON lines: an object a row, in UTF-8, every column in every row.
 *
 * Integers of any width are JSON numbers with all their digits; NaN and infinities, which JSON lacks, are null. Text of
 * their own have dates ('2026-01-31'), timestamps ('2026-01-31T12:00:00.000001Z', without Z where the column has no zone),
 * times ('12:00:00.5'), decimals (all digits) and bytes (base64). Durations are integers of their unit.
 */
export class JsonlEncoder implements FileEncoder {
  readonly #names: readonly string[];

  constructor(schema: Schema) {
    this.#names = schema.fields.map(({ name }) => JSON.stringify(name));
  }

  start(): Uint8Array[] {
    return [];
  }

  *batch(batch: RecordBatch): Generator<Uint8Array, void> {
    const readers = batch.data.children.map(jsonReader);
    let lines = '';
    for (let row = 0; row < batch.numRows; row++) {
      const fields = readers.map((read, column) => `${this.#names[column]}:${read(row)}`);
      lines += `{${fields.join(',')}}\n`;
      if (lines.length < linesMax) continue;
      yield Buffer.from(lines);
      lines = '';
    }
    if (lines !== '') yield Buffer.from(lines);
  }

  finish(): Uint8Array[] {
    return [];
  }
}

/**
 * The JSON of each cell of `batch`, row by row, in the order of its columns: what {@link JsonlEncoder} writes of it.
 *
 * @throws SpiralError `invalid_argument` for what is no batch.
 */
export function jsonCells(batch: RecordBatch): string[][] {
  if (!Array.isArray(batch?.data?.children)) {
    throw new SpiralError('invalid_argument', `Expected an Arrow RecordBatch to read cells of, got ${shown(batch)}.`);
  }
  const readers = batch.data.children.map(jsonReader);
  return Array.from({ length: batch.numRows }, (_, row) => readers.map((read) => read(row)));
}

/** Characters that are encoded at once. */
const linesMax = 1024 * 1024;

/** Reads a column as the JSON text of each value, which is that of {@link JsonlEncoder}. */
export function jsonReader(data: Data): JsonReader {
  const read = soundReader(data);
  if (data.nullCount === 0) return read;
  const { nullBitmap, offset } = data;
  return (index) => (bitAt(nullBitmap, offset + index) ? read(index) : 'null');
}

function soundReader(data: Data): JsonReader {
  const { type } = data;
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) return listReader(data);
  if (DataType.isStruct(type)) {
    const fields = type.children.map(({ name }, at) => [JSON.stringify(name), jsonReader(data.children[at]!)] as const);
    return (index) => `{${fields.map(([name, read]) => `${name}:${read(index)}`).join(',')}}`;
  }
  if (DataType.isDictionary(type)) return dictionaryReader(data);
  if (DataType.isDate(type) || DataType.isTimestamp(type) || DataType.isTime(type)) return timeReader(data);
  const value = valueReader(data);
  if (DataType.isInt(type) || DataType.isDuration(type)) return (index) => String(value(index));
  if (DataType.isFloat(type)) return (index) => numberText(value(index) as number);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type)) {
    return (index) => `"${Buffer.from(value(index) as Uint8Array).toString('base64')}"`;
  }
  return (index) => JSON.stringify(value(index));
}

function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? String(value) : 'null';
}

function listReader(data: Data): JsonReader {
  const { type } = data;
  const read = jsonReader(data.children[0]!);
  const joined = (from: number, to: number): string => {
    const items: string[] = [];
    for (let at = from; at < to; at++) items.push(read(at));
    return `[${items.join(',')}]`;
  };
  if (DataType.isFixedSizeList(type)) {
    const { listSize } = type;
    return (index) => joined(index * listSize, (index + 1) * listSize);
  }
  const offsets = data.valueOffsets as ArrayLike<number>;
  return (index) => joined(offsets[index]!, offsets[index + 1]!);
}

function dictionaryReader(data: Data): JsonReader {
  const indices = data.values as ArrayLike<number | bigint>;
  const chunks = (data.dictionary?.data ?? []).map((chunk) => ({ length: chunk.length, read: jsonReader(chunk) }));
  const checked = valueReader(data);
  return (index) => {
    let at = Number(indices[index]);
    for (const { length, read } of chunks) {
      if (at >= 0 && at < length) return read(at);
      at -= length;
    }
    // Beyond the dictionary: the reader of values tells of it.
    return String(checked(index));
  };
}

/** Digits behind the second by unit, and how many of the unit make one. */
const digits: Readonly<Record<TimeUnit, number>> = {
  [TimeUnit.SECOND]: 0,
  [TimeUnit.MILLISECOND]: 3,
  [TimeUnit.MICROSECOND]: 6,
  [TimeUnit.NANOSECOND]: 9,
};
const daySeconds = 86_400n;

function timeReader(data: Data): JsonReader {
  const { type } = data;
  const values = data.values as ArrayLike<number | bigint>;
  if (DataType.isDate(type)) {
    if (type.unit === 0) return (index) => `"${dayText(BigInt(values[index]!))}"`;
    return (index) => `"${momentText(BigInt(values[index]!), 3)}"`;
  }
  const { unit } = type as DataType & { unit: TimeUnit };
  if (DataType.isTime(type)) return (index) => `"${clockText(BigInt(values[index]!), digits[unit])}"`;
  const zone = (type as DataType & { timezone?: string | null }).timezone ? 'Z' : '';
  return (index) => `"${momentText(BigInt(values[index]!), digits[unit])}${zone}"`;
}

/** A moment of `fraction` digits behind the second, since the epoch. */
function momentText(value: bigint, fraction: number): string {
  const perDay = daySeconds * 10n ** BigInt(fraction);
  const within = ((value % perDay) + perDay) % perDay;
  return `${dayText((value - within) / perDay)}T${clockText(within, fraction)}`;
}

function clockText(value: bigint, fraction: number): string {
  const scale = 10n ** BigInt(fraction);
  const seconds = Number(value / scale);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const clock = [hours, minutes, seconds % 60].map((part) => String(part).padStart(2, '0')).join(':');
  return fraction === 0 ? clock : `${clock}.${String(value % scale).padStart(fraction, '0')}`;
}

/** The day `day` since the epoch by the Gregorian calendar, of any year that 64 bits hold. */
function dayText(day: bigint): string {
  // Days since 0000-03-01, in eras of 400 years (Hinnant, "chrono-compatible low-level date algorithms").
  const shifted = day + 719_468n;
  const era = (shifted >= 0n ? shifted : shifted - 146_096n) / 146_097n;
  const ofEra = Number(shifted - era * 146_097n);
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * ofYear + 2) / 153);
  const dayOfMonth = ofYear - Math.floor((153 * month + 2) / 5) + 1;
  const calendarMonth = month < 10 ? month + 3 : month - 9;
  const year = BigInt(yearOfEra) + era * 400n + (calendarMonth <= 2 ? 1n : 0n);
  const size = String(year < 0n ? -year : year);
  // ISO 8601: years of more than four digits, and those before 0, have a sign and six digits at least.
  const text = year >= 0n && year <= 9999n ? size.padStart(4, '0') : `${year < 0n ? '-' : '+'}${size.padStart(6, '0')}`;
  return [text, ...[calendarMonth, dayOfMonth].map((part) => String(part).padStart(2, '0'))].join('-');
}
