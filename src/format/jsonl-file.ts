import { isUtf8 } from 'node:buffer';
import { type Data, type Schema, Struct } from 'apache-arrow';
import { appendFields } from './json-cells.js';
import { JsonInference } from './json-shape.js';
import { JsonText } from './json-text.js';
import { makeCells } from './make-cells.js';
import { StructCells } from './nested-cells.js';
import type { RowFileFormat } from './row-file.js';
import { openTextFile, type TextSizes } from './text-file.js';
import type { GroupText, TextFormat, TextPass } from './text-format.js';
import type { GroupList, TextIndex } from './text-groups.js';
import type { TextPlace } from './text-place.js';
import type { TextBlock } from './text-stream.js';

const newline = 0x0a;

/**
 * JSON lines (`.jsonl`, `.ndjson`): one object on each line, in UTF-8. Lines end with LF or CRLF, the last one need not; a BOM
 * at the start and lines of nothing but space are passed over and are no rows.
 *
 * Without a schema the types are those of all rows together: whole numbers are int64, all numbers of a column float64 where
 * one has a fraction, an exponent or more digits than 64 bits hold; true and false bool, text utf8, arrays lists, objects
 * structs of all their keys in first-seen order. A column of nothing but nulls is utf8, as are lists of nothing; an object
 * that never has a key is utf8, `{}`. Kinds that do not mix are refused (`type_mismatch`) with both rows.
 *
 * With a schema only rows are counted when the file is opened, and a row that is damaged, or does not fit, fails where it is
 * read. Fields that the schema does not name are left out. A missing field is null either way. A column of the schema takes:
 *
 * | type | takes |
 * | --- | --- |
 * | ints | whole numbers in range, exactly, `1.0` and `1e3` too |
 * | floats | numbers, also NaN, Infinity and -Infinity, as Python writes them |
 * | decimal | numbers, and text of numbers, without loss |
 * | bool | true, false |
 * | utf8, large_utf8 | text; any other value as it is written |
 * | binary, fixed_size_binary | text in base64 |
 * | timestamp, date32, date64 | text as in ISO 8601, UTC where it names no zone; timestamps also whole numbers in their unit |
 * | time32, time64, duration | whole numbers in their unit; times also text such as `23:59:59.5` |
 * | list, fixed_size_list, struct, dictionary | arrays, objects, what the values take |
 */
export function jsonlFormat(sizes: TextSizes = {}): RowFileFormat {
  return { open: (store, path, size, options) => openTextFile(jsonl, store, path, size, options, sizes) };
}

const jsonl: TextFormat = {
  key: () => 'jsonl',
  beginPass: (_, schema, groups, place) => new JsonlPass(schema, groups, place),
  readGroup: (_, text) => readJsonlGroup(text),
};

class JsonlPass implements TextPass {
  readonly #schema: Schema | undefined;
  readonly #groups: GroupList;
  readonly #place: TextPlace;
  readonly #text: JsonText;
  readonly #inference: JsonInference;

  constructor(schema: Schema | undefined, groups: GroupList, place: TextPlace) {
    this.#schema = schema;
    this.#groups = groups;
    this.#place = place;
    this.#text = new JsonText(place);
    this.#inference = new JsonInference(place);
  }

  take({ bytes, end, base, isLast }: TextBlock): number {
    const whole = isLast ? end : bytes.lastIndexOf(newline, end - 1) + 1;
    const isSound = this.#schema !== undefined || isUtf8(bytes.subarray(0, whole));
    for (let from = 0; from < whole; ) {
      const to = lineEnd(bytes, from, whole);
      if (!isBlank(bytes, from, to)) {
        this.#place.byte = base + from;
        if (this.#schema === undefined) this.#observe(bytes, from, to, isSound);
        this.#groups.add(base + from, base + Math.min(to + 1, whole));
        this.#place.row = this.#groups.rows;
      }
      from = to + 1;
    }
    this.#place.byte = base + whole;
    return whole;
  }

  finish(): TextIndex {
    return this.#groups.finish(this.#schema ?? this.#inference.schema, []);
  }

  #observe(bytes: Buffer, from: number, to: number, isSound: boolean): void {
    if (!isSound && !isUtf8(bytes.subarray(from, to))) throw this.#place.notUtf8();
    this.#text.begin(bytes, from, to);
    checkObject(this.#text);
    this.#inference.observe(this.#text);
    this.#text.finish();
  }
}

function readJsonlGroup(group: GroupText): { data: Data[]; rows: number } {
  const { bytes, isUtf8: isSound, index, columns, place } = group;
  const [base, firstRow] = [place.byte, place.row];
  const type = new Struct(columns.map((column) => index.schema.fields[column]!));
  const cells = new StructCells({ type, column: '', place, rows: group.to - group.from }, makeCells);
  const text = new JsonText(place);
  let row = 0;
  for (let from = 0; from < bytes.length; ) {
    const to = lineEnd(bytes, from, bytes.length);
    if (!isBlank(bytes, from, to)) {
      if (row >= group.from && row < group.to) {
        place.byte = base + from;
        place.row = firstRow + row;
        if (!isSound && !isUtf8(bytes.subarray(from, to))) throw place.notUtf8();
        text.begin(bytes, from, to);
        checkObject(text);
        appendFields(text, cells);
        text.finish();
      }
      row++;
    }
    from = to + 1;
  }
  return { data: cells.children.map((child) => child.data()), rows: row };
}

function checkObject(text: JsonText): void {
  if (text.kind() === 'struct') return;
  throw text.fault('an object');
}

function lineEnd(bytes: Buffer, from: number, end: number): number {
  const found = bytes.indexOf(newline, from);
  return found < 0 || found > end ? end : found;
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
