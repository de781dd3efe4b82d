import { DataType, type Field } from 'apache-arrow';
import { recordBatch } from '../../src/arrow/record-batch.js';
import { batchRows } from '../../src/arrow/rows.js';
import type { RowFile, RowFileFormat, RowFileOptions } from '../../src/format/row-file.js';
import { memoryStore } from '../../src/storage/memory-store.js';

/** A writer of rows as text that knows nothing of the readers. Values are those that reading gives back. */
export type Row = Readonly<Record<string, unknown>>;

/** How the same values are written: number `choice` decides between ways that mean the same. */
export interface Style {
  readonly choice: number;
  readonly newline: string;
  readonly bom: boolean;
  readonly endsWithNewline: boolean;
}

/** A value as a JSON token. */
export function jsonOf(type: DataType, value: unknown, choice = 0): string {
  if (value === null || value === undefined) return 'null';
  if (DataType.isStruct(type)) {
    const given = new Map(Object.entries(value));
    const fields = type.children
      // A null may as well be left out.
      .filter(({ name }) => choice % 2 === 0 || given.get(name) !== null)
      .map(({ name, type: inner }) => `${stringOf(name, choice)}: ${jsonOf(inner, given.get(name), choice)}`);
    return `{${fields.join(choice % 3 === 0 ? ',' : ' , ')}}`;
  }
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    const inner = type.valueType as DataType;
    return `[${Array.from(value as ArrayLike<unknown>, (one) => jsonOf(inner, one, choice)).join(', ')}]`;
  }
  const plain = plainOf(type, value, choice);
  return typeof plain === 'string' ? stringOf(plain, choice) : plain.token;
}

/** A value as the text of a CSV cell, before quoting. */
export function cellOf(type: DataType, value: unknown, choice = 0): string {
  if (DataType.isStruct(type) || DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return jsonOf(type, value, choice);
  }
  const plain = plainOf(type, value, choice);
  return typeof plain === 'string' ? plain : plain.token;
}

export function jsonLines(fields: readonly Field[], rows: readonly Row[], style: Style): Buffer {
  const lines = rows.map((row, at) => {
    const choice = style.choice + at;
    const pairs = fields
      .filter(({ name }) => choice % 2 === 0 || row[name] !== null)
      .map(({ name, type }) => `${stringOf(name, choice)}:${jsonOf(type, row[name], choice)}`);
    if (choice % 5 === 0) pairs.reverse();
    const blank = choice % 7 === 0 ? ` \t${style.newline}` : '';
    return `${blank}{${pairs.join(', ')}}${choice % 4 === 0 ? ' ' : ''}`;
  });
  return text(lines, style);
}

export function csvLines(fields: readonly Field[], rows: readonly Row[], style: Style, delimiter: string): Buffer {
  const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  const cells = (row: Row, choice: number): string[] =>
    fields.map(({ name, type }) => {
      const value = row[name];
      if (value === null || value === undefined) return '';
      const cell = cellOf(type, value, choice);
      const mustBe = cell === '' || /["\r\n]/.test(cell) || cell.includes(delimiter);
      return mustBe || choice % 3 === 0 ? quoted(cell) : cell;
    });
  const header = fields.map(({ name }) => (style.choice % 2 === 0 ? name : quoted(name)));
  const lines = rows.map((row, at) => {
    const blank = (style.choice + at) % 7 === 0 ? style.newline : '';
    return blank + cells(row, style.choice + at).join(delimiter);
  });
  return text([header.join(delimiter), ...lines], style);
}

/** Opens `bytes` as a file of a store in memory. */
export async function openText(
  format: RowFileFormat,
  bytes: Uint8Array,
  options: Partial<RowFileOptions> = {},
  path = 'rows.txt',
): Promise<RowFile> {
  const store = memoryStore();
  await store.put(path, bytes);
  return format.open(store, path, bytes.length, { modifiedMs: 1, ...options });
}

/** All rows of the file, group by group, as plain objects. */
export async function allRows(file: RowFile): Promise<Row[]> {
  const columns = file.schema.fields.map((_, column) => column);
  const rows: Row[] = [];
  for (const [group, { rows: count }] of file.groups.entries()) {
    const data = await file.readGroup(group, columns);
    rows.push(...batchRows(recordBatch(file.schema, data, count)));
  }
  return rows;
}

/** A plain value: text, or a token that stands without quotes. */
function plainOf(type: DataType, value: unknown, choice: number): string | { token: string } {
  if (DataType.isDictionary(type)) return plainOf(type.dictionary as DataType, value, choice);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) {
    const iso = value.toISOString();
    if (DataType.isDate(type) && type.unit === 0) return iso.slice(0, iso.indexOf('T'));
    if (DataType.isDate(type) || choice % 2 === 0) return choice % 3 === 0 ? iso : iso.replace('Z', '+00:00');
    const isSeconds = DataType.isTimestamp(type) && type.unit === 0;
    return { token: String(isSeconds ? value.getTime() / 1000 : value.getTime()) };
  }
  if (typeof value === 'string') return DataType.isDecimal(type) ? { token: value } : value;
  if (Object.is(value, -0)) return { token: '-0.0' };
  return { token: String(value) };
}

function stringOf(value: string, choice: number): string {
  if (choice % 3 !== 0) return JSON.stringify(value);
  const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

function text(lines: readonly string[], { newline, bom, endsWithNewline }: Style): Buffer {
  const end = endsWithNewline && lines.length > 0 ? newline : '';
  return Buffer.from(`${bom ? '\ufeff' : ''}${lines.join(newline)}${end}`);
}
