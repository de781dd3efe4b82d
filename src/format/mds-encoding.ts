import {
  Binary,
  type DataType,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  Struct,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';

/** Numbers that MDS columns and arrays hold, little-endian: their Arrow type, bytes, and the number that stands for them in an array. */
export interface MdsNumber {
  readonly name: string;
  readonly type: DataType;
  readonly bytes: number;
  readonly code: number;
}

/** Every {@link MdsNumber}, by name. */
export const mdsNumbers: ReadonlyMap<string, MdsNumber> = new Map(
  (
    [
      ['uint8', new Uint8(), 1, 8],
      ['int8', new Int8(), 1, 9],
      ['uint16', new Uint16(), 2, 16],
      ['int16', new Int16(), 2, 17],
      ['float16', new Float16(), 2, 18],
      ['uint32', new Uint32(), 4, 32],
      ['int32', new Int32(), 4, 33],
      ['float32', new Float32(), 4, 34],
      ['uint64', new Uint64(), 8, 64],
      ['int64', new Int64(), 8, 65],
      ['float64', new Float64(), 8, 66],
    ] as const
  ).map(([name, type, bytes, code]) => [name, { name, type, bytes, code }]),
);

/**
 * How the values of a column are stored. `number`: one number. `bytes`, `text`: as is. `floatText`: a float in words. `pil`:
 * an image's size, mode and pixels. `list`: several values, each with its length (`reserved`: a zero stands first). `array`:
 * an n-dimensional array, of which `number` and `shape` are undefined where each value tells them itself.
 */
export type MdsBody =
  | { readonly kind: 'number'; readonly number: MdsNumber }
  | { readonly kind: 'bytes' | 'text' | 'floatText' | 'pil' }
  | { readonly kind: 'list'; readonly reserved: boolean; readonly item: 'bytes' | 'pil' }
  | { readonly kind: 'array'; readonly number: MdsNumber | undefined; readonly shape: readonly number[] | undefined };

/** An encoding of an MDS column. */
export interface MdsEncoding {
  readonly name: string;
  readonly body: MdsBody;
  /** Bytes of every value; null where values differ. */
  readonly size: number | null;
  /** What columns of it become. */
  readonly type: DataType;
}

const simple: Readonly<Record<string, MdsBody>> = {
  bytes: { kind: 'bytes' },
  str: { kind: 'text' },
  str_int: { kind: 'text' },
  str_decimal: { kind: 'text' },
  json: { kind: 'text' },
  str_float: { kind: 'floatText' },
  pil: { kind: 'pil' },
  jpeg: { kind: 'bytes' },
  png: { kind: 'bytes' },
  jpeg_array: { kind: 'list', reserved: false, item: 'bytes' },
  jpegarray: { kind: 'list', reserved: false, item: 'bytes' },
  'list[jpeg]': { kind: 'list', reserved: true, item: 'bytes' },
  'list[png]': { kind: 'list', reserved: true, item: 'bytes' },
  'list[pil]': { kind: 'list', reserved: true, item: 'pil' },
};

/** The encoding named `name`: undefined for one that is not read, as `pkl`. */
export function mdsEncoding(name: string): MdsEncoding | undefined {
  const number = mdsNumbers.get(name === 'int' ? 'int64' : name);
  if (number !== undefined) return { name, body: { kind: 'number', number }, size: number.bytes, type: number.type };
  if (Object.hasOwn(simple, name)) return { name, body: simple[name]!, size: null, type: typeOf(simple[name]!) };
  const [word, dtype, dims, more] = name.split(':');
  if (word !== 'ndarray' || more !== undefined) return undefined;
  if (dtype === undefined) return arrayEncoding(name, undefined, undefined);
  const values = mdsNumbers.get(dtype);
  if (values === undefined) return undefined;
  if (dims === undefined) return arrayEncoding(name, values, undefined);
  if (!/^[1-9]\d*(,[1-9]\d*)*$/.test(dims)) return undefined;
  return arrayEncoding(name, values, dims.split(',').map(Number));
}

function arrayEncoding(
  name: string,
  number: MdsNumber | undefined,
  shape: readonly number[] | undefined,
): MdsEncoding | undefined {
  const size = shape === undefined ? null : shape.reduce((product, side) => product * side, number!.bytes);
  if (size !== null && size >= 2 ** 31) return undefined;
  const body: MdsBody = { kind: 'array', number, shape };
  return { name, body, size, type: typeOf(body) };
}

const pilType = (): DataType =>
  new Struct([
    new Field('width', new Uint32(), true),
    new Field('height', new Uint32(), true),
    new Field('mode', new Utf8(), true),
    new Field('pixels', new Binary(), true),
  ]);

function typeOf(body: MdsBody): DataType {
  switch (body.kind) {
    case 'number':
      return body.number.type;
    case 'bytes':
      return new Binary();
    case 'text':
      return new Utf8();
    case 'floatText':
      return new Float64();
    case 'pil':
      return pilType();
    case 'list':
      return new List(new Field('item', body.item === 'pil' ? pilType() : new Binary(), true));
    case 'array':
      return arrayType(body.number, body.shape);
  }
}

function arrayType(number: MdsNumber | undefined, shape: readonly number[] | undefined): DataType {
  if (number !== undefined && shape !== undefined) {
    return shape.reduceRight<DataType>(
      (type, side) => new FixedSizeList(side, new Field('item', type, true)),
      number.type,
    );
  }
  const sides = new Field('shape', new List(new Field('item', new Uint32(), true)), true);
  if (number !== undefined)
    return new Struct([sides, new Field('values', new List(new Field('item', number.type, true)), true)]);
  return new Struct([new Field('dtype', new Utf8(), true), sides, new Field('data', new Binary(), true)]);
}
