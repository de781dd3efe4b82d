import {
  Binary,
  Bool,
  DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Dictionary,
  Duration,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  List,
  Struct,
  Time,
  Timestamp,
  type TimeUnit,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';

/** Every type this package reads and writes, as it is written in words. */
export const supportedTypes: string =
  'bool, int8 to int64, uint8 to uint64, float16, float32, float64, utf8, large_utf8, binary, large_binary, ' +
  'fixed_size_binary[n], date32, date64, time32[s|ms], time64[us|ns], timestamp[s|ms|us|ns], timestamp[us, UTC], ' +
  'duration[s|ms|us|ns], decimal128(precision, scale), decimal256(precision, scale), list<T>, fixed_size_list<T>[n], ' +
  'struct<{a: T, b: U}>, dictionary<index, value>';

const units = ['s', 'ms', 'us', 'ns'];
const leaves: ReadonlyMap<string, () => DataType> = new Map<string, () => DataType>([
  ['bool', () => new Bool()],
  ['int8', () => new Int8()],
  ['int16', () => new Int16()],
  ['int32', () => new Int32()],
  ['int64', () => new Int64()],
  ['uint8', () => new Uint8()],
  ['uint16', () => new Uint16()],
  ['uint32', () => new Uint32()],
  ['uint64', () => new Uint64()],
  ['float16', () => new Float16()],
  ['float32', () => new Float32()],
  ['float64', () => new Float64()],
  ['utf8', () => new Utf8()],
  ['large_utf8', () => new LargeUtf8()],
  ['binary', () => new Binary()],
  ['large_binary', () => new LargeBinary()],
]);
const aliases: ReadonlyMap<string, string> = new Map([
  ['boolean', 'bool'],
  ['string', 'utf8'],
  ['str', 'utf8'],
  ['large_string', 'large_utf8'],
  ['bytes', 'binary'],
  ['half', 'float16'],
  ['halffloat', 'float16'],
  ['float', 'float32'],
  ['double', 'float64'],
  ['date', 'date32'],
  ['decimal', 'decimal128'],
]);
const takingParameters: ReadonlyMap<string, (text: Cursor, word: string) => DataType> = new Map([
  ['fixed_size_binary', (text) => new FixedSizeBinary(size(text))],
  ['date32', (text) => dateOf(text, 'day', new DateDay())],
  ['date64', (text) => dateOf(text, 'ms', new DateMillisecond())],
  ['time32', (text) => timeOf(text, units.slice(0, 2), 32)],
  ['time64', (text) => timeOf(text, units.slice(2), 64)],
  ['timestamp', timestampOf],
  ['duration', (text) => new Duration(bracketed(text, () => unitOf(text, units)))],
  ['decimal128', (text) => decimalOf(text, 128, 38)],
  ['decimal256', (text) => decimalOf(text, 256, 76)],
  ['list', (text) => new List(item(angled(text, () => elementOf(text))))],
  ['fixed_size_list', (text) => fixedListOf(text)],
  ['struct', (text) => angled(text, () => structOf(text, next(text, '{')))],
  ['dictionary', dictionaryOf],
]);
/** Words of Arrow types that exist and that this package leaves alone. */
const refused: ReadonlySet<string> = new Set(
  (
    'null map union dense_union sparse_union interval large_list list_view large_list_view utf8_view string_view ' +
    'binary_view run_end_encoded decimal32 decimal64 month_interval day_time_interval month_day_nano_interval'
  ).split(' '),
);

/** A place in the words of a type. */
interface Cursor {
  readonly text: string;
  readonly where: string;
  at: number;
  depth: number;
}

/**
 * The Arrow type that `words` name: `'int64'`, `'fixed_size_list<uint8>[784]'`, `'timestamp[us, UTC]'`,
 * `'struct<{id: int32, tags: list<utf8>}>'` (or `'{id: int32, tags: list<utf8>}'`), `'dictionary<int32, utf8>'`.
 *
 * Common other names are understood (string, bytes, double, float, boolean, decimal, date), as is the way pyarrow prints
 * types. Nested fields are nullable. `where` stands in the errors.
 *
 * @throws SpiralError `invalid_schema` with the place in the text; `unsupported_type` for Arrow's other types.
 */
export function parseType(words: string, where = 'a type'): DataType {
  if (typeof words !== 'string') {
    throw new SpiralError(
      'invalid_schema',
      `Expected ${where} in words, as 'int64' or 'list<utf8>', got ${shown(words)}.`,
      {
        details: { where, found: words },
      },
    );
  }
  const text: Cursor = { text: words, where, at: 0, depth: 0 };
  const type = typeOf(text);
  if (take(text, /\S/y) !== undefined) throw expected({ ...text, at: text.at - 1 }, 'the end of the type');
  return type;
}

function typeOf(text: Cursor): DataType {
  // The count covers the leaf as well, hence one more than the levels of nesting.
  if (++text.depth > nestingMax + 1) throw expected(text, `at most ${nestingMax} nested levels`);
  const type = next(text, '{') ? structOf(text, true) : namedType(text);
  text.depth--;
  return type;
}

function namedType(text: Cursor): DataType {
  const start = text.at;
  const written = take(text, /[A-Za-z_0-9]+/y);
  if (written === undefined) throw expected(text, 'the name of a type');
  const word = aliases.get(written) ?? written;
  const type = leaves.get(word)?.() ?? takingParameters.get(word)?.(text, word);
  if (type !== undefined) return type;
  const place = `in ${text.where}, at character ${start + 1} of ${shown(text.text)}`;
  if (refused.has(word)) {
    throw new SpiralError('unsupported_type', `Type '${written}' ${place} is not supported. Use ${supportedTypes}.`, {
      details: { where: text.where, words: text.text, type: written },
    });
  }
  const near = nearest(written, [...leaves.keys(), ...takingParameters.keys(), ...aliases.keys()]);
  const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : ` Use ${supportedTypes}.`;
  throw new SpiralError('invalid_schema', `There is no type '${written}' ${place}.${hint}`, {
    details: { where: text.where, words: text.text, character: start + 1, near },
  });
}

function timeOf(text: Cursor, allowed: readonly string[], bitWidth: 32 | 64): DataType {
  return new Time(
    bracketed(text, () => unitOf(text, allowed)),
    bitWidth,
  );
}

function timestampOf(text: Cursor): DataType {
  return bracketed(text, () => {
    const unit = unitOf(text, units);
    if (!next(text, ',')) return new Timestamp(unit, null);
    take(text, /tz=/y);
    const zone = quoted(text) ?? take(text, /[\w+\-:/]+/y);
    if (zone === undefined) throw expected(text, 'a time zone, such as UTC or Europe/Paris,');
    return new Timestamp(unit, zone);
  });
}

function decimalOf(text: Cursor, bitWidth: number, precisionMax: number): DataType {
  need(text, '(');
  const precision = wholeNumber(text, 1, precisionMax, 'a precision');
  let scale = 0;
  if (next(text, ',')) scale = wholeNumber(text, -precisionMax, precisionMax, 'a scale');
  need(text, ')');
  return new Decimal(scale, precision, bitWidth);
}

function fixedListOf(text: Cursor): DataType {
  const element = angled(text, () => elementOf(text));
  return new FixedSizeList(size(text), item(element));
}

function dictionaryOf(text: Cursor): DataType {
  return angled(text, () => {
    const start = text.at;
    const index = typeOf(text);
    if (!DataType.isInt(index)) throw expected({ ...text, at: start }, 'an integer type for the index');
    need(text, ',');
    const valueStart = text.at;
    const value = typeOf(text);
    if (isNested(value)) throw expected({ ...text, at: valueStart }, 'a type that is not nested for the values');
    // apache-arrow declares 32-bit indices at most; it stores the 64-bit ones all the same.
    return new Dictionary(value, index as Int32);
  });
}

/** Lists, structs and dictionaries: what a dictionary may not hold. */
function isNested(type: DataType): boolean {
  return (
    DataType.isList(type) || DataType.isFixedSizeList(type) || DataType.isStruct(type) || DataType.isDictionary(type)
  );
}

/** Fields `a: T, b: U`, and the brace after them where there was one before (pyarrow prints none). */
function structOf(text: Cursor, braced: boolean): Struct {
  const fields: Field[] = [];
  do {
    const start = text.at;
    const name = quoted(text) ?? take(text, plainName);
    if (name === undefined) throw expected(text, 'the name of a field (in double quotes where it is not a plain word)');
    const fault = nameFault(
      name,
      fields.map((field) => field.name),
    );
    if (fault !== undefined) throw expected({ ...text, at: start }, `a field name that ${fault}`);
    need(text, ':');
    fields.push(new Field(name, typeOf(text), true));
  } while (next(text, ','));
  if (braced) need(text, '}');
  return new Struct(fields);
}

const plainName = /[\p{L}\p{N}_$-]+/uy;

/** What the name of a column or field must be and `name` is not; undefined for a good one. */
export function nameFault(name: string, taken: readonly string[]): string | undefined {
  if (name === '') return 'is not empty';
  if (name.includes('.')) return "is free of '.', which separates the parts of a path";
  return taken.includes(name) ? 'no other field bears' : undefined;
}

function elementOf(text: Cursor): DataType {
  take(text, /\w+\s*:/y); // pyarrow prints the element's field name: list<item: int32>
  return typeOf(text);
}

function item(type: DataType): Field {
  return new Field('item', type, true);
}

/** A date may name its unit, as pyarrow prints it: date32[day]. */
function dateOf(text: Cursor, unit: string, type: DataType): DataType {
  if (!next(text, '[')) return type;
  if (!next(text, unit)) throw expected(text, `'${unit}'`);
  need(text, ']');
  return type;
}

function unitOf(text: Cursor, allowed: readonly string[]): TimeUnit {
  const start = text.at;
  const unit = take(text, /\w+/y);
  if (unit !== undefined && allowed.includes(unit)) return units.indexOf(unit) as TimeUnit;
  throw expected({ ...text, at: start }, `one of the units ${listed(allowed)}`);
}

function size(text: Cursor): number {
  return bracketed(text, () => wholeNumber(text, 1, 0x7fff_ffff, 'a size'));
}

function wholeNumber(text: Cursor, min: number, max: number, what: string): number {
  const start = text.at;
  const found = Number(take(text, /-?\d+/y) ?? Number.NaN);
  if (found >= min && found <= max) return found;
  throw expected({ ...text, at: start }, `${what} from ${min} to ${max}`);
}

function angled<T>(text: Cursor, read: () => T): T {
  need(text, '<');
  const value = read();
  need(text, '>');
  return value;
}

function bracketed<T>(text: Cursor, read: () => T): T {
  need(text, '[');
  const value = read();
  need(text, ']');
  return value;
}

function quoted(text: Cursor): string | undefined {
  const start = text.at;
  const json = take(text, /"(?:[^"\\]|\\.)*"/y);
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json) as string;
  } catch (cause) {
    throw expected({ ...text, at: start }, 'a name quoted as in JSON', cause);
  }
}

/** Matches the sticky `pattern` after any space, and steps over it. */
function take(text: Cursor, pattern: RegExp): string | undefined {
  while (/\s/.test(text.text[text.at] ?? '')) text.at++;
  pattern.lastIndex = text.at;
  const found = pattern.exec(text.text)?.[0];
  text.at += found?.length ?? 0;
  return found;
}

function next(text: Cursor, token: string): boolean {
  while (/\s/.test(text.text[text.at] ?? '')) text.at++;
  if (!text.text.startsWith(token, text.at)) return false;
  text.at += token.length;
  return true;
}

function need(text: Cursor, token: string): void {
  if (!next(text, token)) throw expected(text, `'${token}'`);
}

function expected(text: Cursor, what: string, cause?: unknown): SpiralError {
  const rest = text.text.slice(text.at).trimStart();
  const found = rest === '' ? 'the end' : shown(rest.slice(0, 24));
  return new SpiralError(
    'invalid_schema',
    `Expected ${what} in ${text.where}, at character ${text.at + 1} of ${shown(text.text)}, found ${found}.`,
    { details: { where: text.where, words: text.text, character: text.at + 1 }, cause },
  );
}

/**
 * The words of `type`: the inverse of {@link parseType}, and one spelling for all types that are the same.
 *
 * @throws SpiralError `unsupported_type` naming `where`.
 */
export function typeWords(type: DataType, where = 'a type'): string {
  return spell(type, where, 0);
}

function spell(type: DataType, where: string, depth: number): string {
  if (depth > nestingMax) {
    throw new SpiralError('invalid_schema', `Expected at most ${nestingMax} nested levels in ${where}.`, {
      details: { where, nestingMax },
    });
  }
  const inner = (child: DataType): string => spell(child, where, depth + 1);
  if (DataType.isBool(type)) return 'bool';
  if (DataType.isInt(type)) return `${type.isSigned ? 'int' : 'uint'}${type.bitWidth}`;
  if (DataType.isFloat(type)) return `float${16 << type.precision}`;
  if (DataType.isUtf8(type)) return 'utf8';
  if (DataType.isLargeUtf8(type)) return 'large_utf8';
  if (DataType.isBinary(type)) return 'binary';
  if (DataType.isLargeBinary(type)) return 'large_binary';
  if (DataType.isFixedSizeBinary(type)) return `fixed_size_binary[${type.byteWidth}]`;
  if (DataType.isDate(type)) return type.unit === 0 ? 'date32' : 'date64';
  if (DataType.isTime(type)) return `time${type.bitWidth}[${units[type.unit]}]`;
  if (DataType.isTimestamp(type)) return `timestamp[${units[type.unit]}${zoneWords(type.timezone)}]`;
  if (DataType.isDuration(type)) return `duration[${units[type.unit]}]`;
  if (DataType.isDecimal(type) && type.bitWidth >= 128) {
    return `decimal${type.bitWidth}(${type.precision}, ${type.scale})`;
  }
  if (DataType.isList(type)) return `list<${inner(type.valueType)}>`;
  if (DataType.isFixedSizeList(type)) return `fixed_size_list<${inner(type.valueType)}>[${type.listSize}]`;
  if (DataType.isDictionary(type)) return `dictionary<${inner(type.indices)}, ${inner(type.dictionary)}>`;
  if (DataType.isStruct(type)) {
    return `struct<{${type.children.map((field) => `${nameWords(field.name)}: ${inner(field.type)}`).join(', ')}}>`;
  }
  throw new SpiralError('unsupported_type', `Type ${type} in ${where} is not supported. Use ${supportedTypes}.`, {
    details: { where, type: String(type) },
  });
}

function nameWords(name: string): string {
  plainName.lastIndex = 0;
  return plainName.exec(name)?.[0] === name ? name : JSON.stringify(name);
}

function zoneWords(zone: string | null | undefined): string {
  if (zone === null || zone === undefined || zone === '') return '';
  return /^[\w+\-:/]+$/.test(zone) ? `, ${zone}` : `, ${JSON.stringify(zone)}`;
}
