import { DataType, type Dictionary, Field, Schema } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import { nameFault, parseType, typeWords } from './words.js';

/** A schema in any of the ways people write one; types in words are those of `parseType`. */
export type SchemaLike =
  | Schema
  | readonly Field[]
  | Readonly<Record<string, string | DataType>>
  | readonly (readonly [string, string | DataType])[];

/**
 * The schema that `like` means, with every field nullable, nested ones as well, and no two dictionary fields of one id.
 * A Schema that is so already comes back itself. Metadata of the schema and of its columns is kept.
 *
 * `what` stands in the errors: `the schema of table 'a.b'`.
 *
 * @throws SpiralError `invalid_schema` for a name that is empty, doubled or holds a '.', for a type that cannot be parsed
 * and for nesting deeper than `limits.nestingMax`; `unsupported_type`, naming the column and what is supported.
 */
export function toSchema(like: SchemaLike, what: string): Schema {
  const given = givenFields(like, what);
  const names: string[] = [];
  const ids = new Set<number>();
  const fields = given.map((field) => {
    const fault = nameFault(field.name, names);
    if (fault !== undefined) {
      throw new SpiralError('invalid_schema', `Expected a column name that ${fault} in ${what}, got '${field.name}'.`, {
        details: { where: what, column: field.name },
      });
    }
    names.push(field.name);
    const type = soundType(field.type, `column '${field.name}' of ${what}`, ids);
    return type === field.type && field.nullable ? field : field.clone({ type, nullable: true });
  });
  if (!Schema.isSchema(like)) return new Schema(fields);
  return fields.every((field, index) => field === like.fields[index]) ? like : new Schema(fields, like.metadata);
}

/** The columns of `schema` as JSON: `[name, words]` each. {@link toSchema} reads it back. */
export function schemaWords(schema: Schema): [name: string, words: string][] {
  return schema.fields.map((field) => [field.name, typeWords(field.type, `column '${field.name}'`)]);
}

/**
 * Whether `a` and `b` hold the same values in the same way. The names of struct fields and their order count; nullability,
 * metadata, the name of a list's element, and a dictionary's id and order flag do not.
 */
export function sameType(a: DataType, b: DataType): boolean {
  if (a === b) return true;
  if (a.typeId !== b.typeId || parameters(a) !== parameters(b)) return false;
  if (DataType.isDictionary(a)) {
    const other = b as Dictionary;
    return sameType(a.indices, other.indices) && sameType(a.dictionary, other.dictionary);
  }
  const left = a.children ?? [];
  const right = b.children ?? [];
  return (
    left.length === right.length &&
    left.every(
      (field, index) =>
        sameType(field.type, right[index]!.type) && (!DataType.isStruct(a) || field.name === right[index]!.name),
    )
  );
}

/** Everything that tells two types of one kind apart, children aside. */
interface Parameters {
  readonly bitWidth?: number;
  readonly isSigned?: boolean;
  readonly precision?: number;
  readonly scale?: number;
  readonly unit?: number;
  readonly timezone?: string | null;
  readonly byteWidth?: number;
  readonly listSize?: number;
}

function parameters(type: DataType): string {
  const { bitWidth, isSigned, precision, scale, unit, timezone, byteWidth, listSize } = type as DataType & Parameters;
  return `${bitWidth} ${isSigned} ${precision} ${scale} ${unit} ${byteWidth} ${listSize} ${timezone || ''}`;
}

function givenFields(like: SchemaLike, what: string): readonly Field[] {
  if (Schema.isSchema(like)) return like.fields;
  if (typeof like !== 'object' || like === null) {
    throw new SpiralError(
      'invalid_schema',
      `Expected ${what} to be an object such as { id: 'int64', text: 'utf8' }, an Arrow Schema, its fields, or pairs of ` +
        `name and type, got ${shown(like)}.`,
      { details: { where: what } },
    );
  }
  const entries: readonly (Field | readonly [string, string | DataType])[] = Array.isArray(like)
    ? like
    : Object.entries(like as Readonly<Record<string, string | DataType>>);
  return entries.map((entry) => {
    if (Field.isField(entry)) return entry;
    const [name, type] = Array.isArray(entry) ? entry : [undefined, undefined];
    if (typeof name === 'string' && typeof type === 'string') {
      return new Field(name, parseType(type, `column '${name}' of ${what}`), true);
    }
    if (typeof name === 'string' && DataType.isDataType(type)) return new Field(name, type, true);
    const column = typeof name === 'string' ? ` for column '${name}'` : '';
    throw new SpiralError(
      'invalid_schema',
      `Expected a type in words or an Arrow type${column} in ${what}, got ${shown(column === '' ? entry : type)}.`,
      { details: { where: what, column: name } },
    );
  });
}

/** `type` itself where nothing about it needs a change, else its sound twin; `ids` gathers the dictionaries' ids. */
function soundType(type: DataType, where: string, ids: Set<number>): DataType {
  // Parsing what is printed checks parameters and nested names, makes nested fields nullable, and draws new ids.
  const words = typeWords(type, where);
  let twin = parseType(words, where);
  if (isSound(type, ids)) return type;
  while (!isSound(twin, ids)) twin = parseType(words, where);
  return twin;
}

function isSound(type: DataType, ids: Set<number>): boolean {
  if (!DataType.isDictionary(type)) {
    return (type.children ?? []).every((field) => field.nullable && isSound(field.type, ids));
  }
  const isNew = !ids.has(type.id);
  ids.add(type.id);
  return isNew;
}
