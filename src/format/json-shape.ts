import { type DataType, Field, List, type Schema, Struct, Utf8 } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { nestingMax, textFieldsMax } from '../core/limits.js';
import { FieldIndex } from './field-index.js';
import { doubledKey } from './json-cells.js';
import type { JsonText } from './json-text.js';
import { fitsInt64 } from './text-number.js';
import type { TextPlace } from './text-place.js';
import { namedSchema } from './text-schema.js';
import {
  boolKind,
  fractionKind,
  hugeKind,
  kindWords,
  listKind,
  numberKinds,
  plainType,
  structKind,
  textKind,
  wholeKind,
} from './value-kind.js';

/** What the shapes of one file have in common. */
interface Shapes {
  readonly place: TextPlace;
  fields: number;
}

/** What the values of one column of JSON have been so far. */
class JsonShape {
  readonly #path: string;
  readonly #level: number;
  readonly #shapes: Shapes;
  #kinds = 0;
  /** The row of the first value of each kind. */
  readonly #rows = new Map<number, number>();
  #element: JsonShape | undefined;
  readonly #fields = new Map<string, JsonShape>();
  readonly #index: FieldIndex<JsonShape>;
  #objects = 0;
  /** The number of the object that this was last a field of. */
  #object = -1;

  constructor(path: string, level: number, shapes: Shapes) {
    this.#path = path;
    this.#level = level;
    this.#shapes = shapes;
    this.#index = new FieldIndex((name) => this.#newField(name));
  }

  /** Takes the value that comes next in `text`. */
  observe(text: JsonText): void {
    switch (text.kind()) {
      case 'null':
        text.word('null');
        return;
      case 'bool':
        text.bool();
        this.#note(boolKind);
        return;
      case 'text':
        text.string();
        this.#note(textKind);
        return;
      case 'number':
        text.number();
        this.#note(numberKind(text));
        return;
      case 'list':
        this.#note(listKind);
        this.#observeList(text);
        return;
      case 'struct':
        this.#note(structKind);
        this.observeFields(text);
        return;
    }
  }

  /** Takes the fields of the object that comes next. */
  observeFields(text: JsonText): void {
    const object = ++this.#objects;
    if (!text.enter(0x7d)) return;
    do {
      text.key();
      const field = this.#index.find(text.token, text.tokenFrom, text.tokenTo)!;
      if (field.#object === object) throw doubledKey(text);
      field.#object = object;
      field.observe(text);
    } while (text.goesOn(0x7d));
  }

  get fields(): Field[] {
    return [...this.#fields].map(([name, shape]) => new Field(name, shape.type, true));
  }

  /** Lists of nothing are lists of text, and objects of nothing are text themselves: it takes what comes. */
  get type(): DataType {
    if (this.#kinds === listKind) return new List(new Field('item', this.#element?.type ?? new Utf8(), true));
    if (this.#kinds === structKind) return this.#fields.size === 0 ? new Utf8() : new Struct(this.fields);
    return plainType(this.#kinds);
  }

  #observeList(text: JsonText): void {
    if (!text.enter(0x5d)) return;
    this.#element ??= this.#inner(`${this.#path}[]`);
    do this.#element.observe(text);
    while (text.goesOn(0x5d));
  }

  #note(kind: number): void {
    if ((this.#kinds & kind) !== 0) return;
    const all = this.#kinds | kind;
    const { place } = this.#shapes;
    if (this.#kinds !== 0 && (all & ~numberKinds) !== 0) {
      const [before, row] = [...this.#rows][0]!;
      throw new SpiralError(
        'type_mismatch',
        `Expected one type in column '${this.#path}' of ${place.file}, found ${kindWords(before)} at row ${row} and ` +
          `${kindWords(kind)} at row ${place.row} (byte ${place.byte}). Name its type in a schema: 'utf8' takes any value, as it is written.`,
        {
          details: {
            ...place.details,
            column: this.#path,
            rows: [row, place.row],
            found: [kindWords(before), kindWords(kind)],
          },
        },
      );
    }
    this.#kinds = all;
    this.#rows.set(kind, place.row);
  }

  #newField(name: string): JsonShape {
    const field = this.#inner(this.#path === '' ? name : `${this.#path}.${name}`);
    const { place } = this.#shapes;
    if (++this.#shapes.fields > textFieldsMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected at most ${textFieldsMax} columns, nested ones included, found the next, '${field.#path}', ${place.words}. ` +
          "Name the columns in a schema; for objects that are used as maps, 'utf8' takes them as they are written.",
        { details: { ...place.details, column: field.#path, max: textFieldsMax } },
      );
    }
    this.#fields.set(name, field);
    return field;
  }

  #inner(path: string): JsonShape {
    const { place } = this.#shapes;
    if (this.#level < nestingMax) return new JsonShape(path, this.#level + 1, this.#shapes);
    throw new SpiralError(
      'limit_exceeded',
      `Expected at most ${nestingMax} nested levels in column '${this.#path}' ${place.words}. Name its type in a schema: ` +
        "'utf8' takes any value, as it is written.",
      { details: { ...place.details, column: this.#path, max: nestingMax } },
    );
  }
}

/** The schema of JSON rows, found out row by row. */
export class JsonInference {
  readonly #root: JsonShape;
  readonly #file: string;

  constructor(place: TextPlace) {
    this.#file = place.file;
    this.#root = new JsonShape('', 0, { place, fields: 0 });
  }

  /** Takes the row that `text` begins with, an object. */
  observe(text: JsonText): void {
    this.#root.observeFields(text);
  }

  /** Columns in the order in which they were first met. @throws SpiralError `invalid_schema` for a name no column may have. */
  get schema(): Schema {
    return namedSchema(this.#root.fields, this.#file);
  }
}

function numberKind(text: JsonText): number {
  if (!text.isWhole) return fractionKind;
  return fitsInt64(text.token, text.tokenFrom, text.tokenTo) ? wholeKind : hugeKind;
}
