import { isUtf8 } from 'node:buffer';
import { type Data, DataType, Field, Schema, Utf8 } from 'apache-arrow';
import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import type { Cells } from './cells.js';
import { CsvRows, quotedDoubled, Unquoting, unquoted } from './csv-rows.js';
import { CsvInference } from './csv-shape.js';
import { appendJson } from './json-cells.js';
import { JsonText } from './json-text.js';
import { makeCells } from './make-cells.js';
import type { RowFileFormat } from './row-file.js';
import { openTextFile, type TextSizes } from './text-file.js';
import type { GroupText, TextFormat, TextPass } from './text-format.js';
import type { GroupList, TextIndex } from './text-groups.js';
import type { TextPlace } from './text-place.js';
import { namedSchema } from './text-schema.js';
import type { TextBlock } from './text-stream.js';

const lineFeed = 0x0a;

/** How a CSV file is written. */
export interface CsvOptions {
  /** One ASCII character between fields. Default: a tab for `.tsv`, else a comma. */
  readonly delimiter?: string | undefined;
  /**
   * Whether the first row names the columns. Default true. Without one they have the names of the schema, in its order, or
   * else `column0`, `column1` and so on.
   */
  readonly header?: boolean | undefined;
}

/**
 * CSV (`.csv`, `.tsv`) after RFC 4180, in UTF-8: fields in quotes may hold delimiters, line ends and doubled quotes. Rows end
 * with LF, CRLF or CR, the last one need not; a BOM at the start is passed over; empty lines are no rows. All rows have as
 * many fields as the header.
 *
 * An empty field is null. `""` is an empty text in a column of text or bytes, null in any other.
 *
 * Without a schema the types are those of all rows together, quoted or not: whole numbers are int64; numbers of which one has
 * a fraction, an exponent or more digits than 64 bits hold, or is NaN or Inf, float64; true and false in any case bool; all
 * else, a mixture, or nothing but nulls, utf8. Spaces around numbers do not count. Digits with a leading zero or plus are
 * codes and so text. Of a header without rows no column is known.
 *
 * With a schema only rows are counted when the file is opened, and a row that is damaged, or does not fit, fails where it is
 * read. Columns that the schema does not name are left out. Types take what they take in JSON lines, in their text form; bool
 * takes 1 and 0 too, lists and structs take JSON.
 */
export function csvFormat(options: CsvOptions & TextSizes = {}): RowFileFormat {
  const { delimiter, header } = options;
  if (delimiter !== undefined && !isDelimiter(delimiter)) {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`delimiter\` to be one ASCII character, no quote and no line end, got ${shown(delimiter)}.`,
      { details: { found: shown(delimiter) } },
    );
  }
  const format = new CsvFormat(delimiter, header !== false);
  return { open: (store, path, size, given) => openTextFile(format, store, path, size, given, options) };
}

function isDelimiter(given: unknown): boolean {
  if (typeof given !== 'string' || given.length !== 1 || '"\r\n'.includes(given)) return false;
  const code = given.charCodeAt(0);
  return code > 0 && code < 0x80;
}

class CsvFormat implements TextFormat {
  readonly #delimiter: string | undefined;
  readonly #hasHeader: boolean;

  constructor(delimiter: string | undefined, hasHeader: boolean) {
    this.#delimiter = delimiter;
    this.#hasHeader = hasHeader;
  }

  key(path: string): string {
    return `csv ${JSON.stringify(this.#delimiterOf(path))} ${this.#hasHeader}`;
  }

  beginPass(path: string, schema: Schema | undefined, groups: GroupList, place: TextPlace): TextPass {
    return new CsvPass(this.#delimiterOf(path), this.#hasHeader, schema, groups, place);
  }

  readGroup(path: string, text: GroupText): { data: Data[]; rows: number } {
    return readCsvGroup(text, this.#delimiterOf(path));
  }

  #delimiterOf(path: string): string {
    return this.#delimiter ?? (/\.tsv$/i.test(path) ? '\t' : ',');
  }
}

class CsvPass implements TextPass {
  readonly #hasHeader: boolean;
  readonly #schema: Schema | undefined;
  readonly #groups: GroupList;
  readonly #place: TextPlace;
  readonly #rows: CsvRows;
  #header: readonly string[] | undefined;
  #inference = new CsvInference([]);

  constructor(delimiter: string, hasHeader: boolean, schema: Schema | undefined, groups: GroupList, place: TextPlace) {
    this.#hasHeader = hasHeader;
    this.#schema = schema;
    this.#groups = groups;
    this.#place = place;
    this.#rows = new CsvRows(delimiter, place);
  }

  take({ bytes, end, base, isLast }: TextBlock): number {
    // Up to a line end, which no character reaches over.
    const checked = this.#schema !== undefined || isLast ? end : bytes.lastIndexOf(lineFeed, end - 1) + 1;
    const isSound = this.#schema !== undefined || isUtf8(bytes.subarray(0, checked));
    let at = 0;
    while (at < end) {
      this.#place.byte = base + at;
      const next = this.#rows.next(bytes, at, end, isLast);
      if (next < 0) break;
      if (!this.#rows.isBlank) {
        if ((!isSound || next > checked) && !isUtf8(bytes.subarray(at, next))) throw this.#place.notUtf8();
        this.#takeRow(bytes, base + at, base + next);
      }
      at = next;
    }
    return at;
  }

  finish(): TextIndex {
    const header = this.#header ?? [];
    if (this.#schema !== undefined) return this.#groups.finish(this.#schema, header);
    return this.#groups.finish(this.#groups.rows === 0 ? new Schema([]) : this.#inference.schema, header);
  }

  #takeRow(bytes: Buffer, from: number, to: number): void {
    const rows = this.#rows;
    if (this.#header === undefined) {
      this.#header = this.#headerOf(bytes);
      this.#inference = new CsvInference(this.#header);
      if (this.#hasHeader) return;
    }
    if (this.#schema === undefined) {
      checkWidth(rows, this.#header.length, this.#place);
      for (let field = 0; field < rows.count; field++) {
        this.#inference.observe(field, bytes, rows.starts[field]!, rows.ends[field]!, rows.quoted[field]!);
      }
    }
    this.#groups.add(from, to);
    this.#place.row = this.#groups.rows;
  }

  /** The columns' names, of which there are as many as the first row has fields. */
  #headerOf(bytes: Buffer): string[] {
    const { file } = this.#place;
    const rows = this.#rows;
    if (!this.#hasHeader) {
      const names = this.#schema?.fields.map(({ name }) => name);
      if (names !== undefined) checkWidth(rows, names.length, this.#place, 'the schema');
      return names ?? Array.from({ length: rows.count }, (_, field) => `column${field}`);
    }
    const unquoting = new Unquoting();
    const names = Array.from({ length: rows.count }, (_, field) => {
      const [from, to] = [rows.starts[field]!, rows.ends[field]!];
      const name = bytes.subarray(from, to);
      if (!isUtf8(name)) throw this.#place.notUtf8();
      if (rows.quoted[field] !== quotedDoubled) return name.toString();
      return unquoting.read(bytes, from, to).toString('utf8', 0, unquoting.end);
    });
    if (this.#schema === undefined) {
      namedSchema(
        names.map((name) => new Field(name, new Utf8(), true)),
        `the header of ${file}`,
      );
    } else for (const { name } of this.#schema.fields) checkNamed(name, names, file);
    return names;
  }
}

/** Checks that the header names `wanted` once. @throws SpiralError `unknown_column`, `invalid_schema`. */
function checkNamed(wanted: string, names: readonly string[], file: string): void {
  const found = names.filter((name) => name === wanted).length;
  if (found === 1) return;
  if (found > 1) {
    throw new SpiralError(
      'invalid_schema',
      `Expected the header of ${file} to name column '${wanted}' once, found it ${found} times. Mend the header.`,
      { details: { file, column: wanted, found } },
    );
  }
  const near = nearest(wanted, names);
  const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : ` It has ${listed(names.slice(0, 20), 'and')}.`;
  throw new SpiralError('unknown_column', `Expected the header of ${file} to name column '${wanted}'.${hint}`, {
    details: { file, column: wanted, near },
  });
}

function checkWidth(rows: CsvRows, width: number, place: TextPlace, like = 'the first row'): void {
  if (rows.count === width) return;
  const remedy = 'Mend the row; text that holds a delimiter or a line end has to stand in quotes.';
  throw place.corrupt(`${width} fields, as ${like} has,`, `${rows.count}`, remedy);
}

/** One column that is read. */
interface CsvColumn {
  readonly cells: Cells;
  readonly field: number;
  /** Whether `""` is a value. */
  readonly takesEmpty: boolean;
  /** Whether a cell is JSON. */
  readonly isNested: boolean;
}

function readCsvGroup(text: GroupText, delimiter: string): { data: Data[]; rows: number } {
  const { bytes, isUtf8: isSound, index, place } = text;
  const [base, firstRow] = [place.byte, place.row];
  const columns = text.columns.map((column): CsvColumn => {
    const { name, type } = index.schema.fields[column]!;
    const cells = makeCells({ type, column: name, place, rows: text.to - text.from });
    const valueType = DataType.isDictionary(type) ? (type.dictionary as DataType) : type;
    return { cells, field: index.header.indexOf(name), takesEmpty: takesEmpty(valueType), isNested: isNested(type) };
  });
  const rows = new CsvRows(delimiter, place);
  const cell = new CellReader(bytes, rows, place);
  let row = 0;
  for (let at = 0; at < bytes.length; ) {
    place.byte = base + at;
    place.row = firstRow + row;
    const next = rows.next(bytes, at, bytes.length, true);
    if (!rows.isBlank) {
      if (row >= text.from && row < text.to) {
        if (!isSound && !isUtf8(bytes.subarray(at, next))) throw place.notUtf8();
        checkWidth(rows, index.header.length, place);
        for (let column = 0; column < columns.length; column++) cell.append(columns[column]!);
      }
      row++;
    }
    at = next;
  }
  return { data: columns.map(({ cells }) => cells.data()), rows: row };
}

/** Appends cells of the row that `rows` read last. */
class CellReader {
  readonly #bytes: Buffer;
  readonly #rows: CsvRows;
  readonly #unquoting = new Unquoting();
  readonly #json: JsonText;

  constructor(bytes: Buffer, rows: CsvRows, place: TextPlace) {
    this.#bytes = bytes;
    this.#rows = rows;
    this.#json = new JsonText(place);
  }

  append({ cells, field, takesEmpty, isNested }: CsvColumn): void {
    const rows = this.#rows;
    let bytes = this.#bytes;
    let from = rows.starts[field]!;
    let to = rows.ends[field]!;
    const quoted = rows.quoted[field]!;
    if (from === to && (quoted === unquoted || !takesEmpty)) {
      cells.appendNull();
      return;
    }
    if (quoted === quotedDoubled) {
      bytes = this.#unquoting.read(bytes, from, to);
      from = 0;
      to = this.#unquoting.end;
    }
    if (!isNested) {
      cells.appendCell(bytes, from, to);
      return;
    }
    this.#json.begin(bytes, from, to);
    appendJson(this.#json, cells);
    this.#json.finish();
  }
}

function takesEmpty(type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isBinary(type) || DataType.isLargeBinary(type);
}

function isNested(type: DataType): boolean {
  return DataType.isStruct(type) || DataType.isList(type) || DataType.isFixedSizeList(type);
}
