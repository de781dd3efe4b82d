import fc from 'fast-check';
import { float16Bits, float16Value } from '../../../src/arrow/float16.js';

/** An encoding with values for it, and what is read of each. */
export interface EncodedValues {
  readonly encoding: string;
  readonly value: fc.Arbitrary<unknown>;
  readonly read: (value: never) => unknown;
}

const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const same = (value: unknown): unknown => value;
const wide = (value: bigint | number): unknown => BigInt(value);

function whole(name: string): EncodedValues {
  const bits = Number(/\d+$/.exec(name)?.[0] ?? 64);
  const [min, max] = name.startsWith('u')
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  if (bits < 64) {
    const value = fc.integer({ min: Number(min), max: Number(max) });
    return { encoding: name, value: fc.oneof(value, value.map(BigInt)), read: (found) => Number(found) };
  }
  const safe = fc.integer({ min: name.startsWith('u') ? 0 : Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return { encoding: name, value: fc.oneof(fc.bigInt({ min, max }), safe), read: wide as EncodedValues['read'] };
}

const image = fc
  .record({
    width: fc.integer({ min: 0, max: 5 }),
    height: fc.integer({ min: 0, max: 5 }),
    mode: fc.constantFrom('1', 'L', 'RGB', 'RGBA', 'I;16', 'F'),
    fill: fc.nat(255),
  })
  .map(({ width, height, mode, fill }) => {
    const bits = { '1': 1, L: 8, RGB: 24, RGBA: 32, 'I;16': 16, F: 32 }[mode]!;
    return { width, height, mode, pixels: new Uint8Array(Math.ceil((width * bits) / 8) * height).fill(fill) };
  });

const typed: Readonly<Record<string, (length: number) => fc.Arbitrary<ArrayBufferView>>> = {
  uint8: (length) => fc.uint8Array({ minLength: length, maxLength: length }),
  int8: (length) => fc.int8Array({ minLength: length, maxLength: length }),
  uint16: (length) => fc.uint16Array({ minLength: length, maxLength: length }),
  int16: (length) => fc.int16Array({ minLength: length, maxLength: length }),
  uint32: (length) => fc.uint32Array({ minLength: length, maxLength: length }),
  int32: (length) => fc.int32Array({ minLength: length, maxLength: length }),
  float32: (length) => fc.float32Array({ minLength: length, maxLength: length }),
  float64: (length) => fc.float64Array({ minLength: length, maxLength: length }),
  int64: (length) => fc.bigInt64Array({ minLength: length, maxLength: length }),
  uint64: (length) => fc.bigUint64Array({ minLength: length, maxLength: length }),
};

const dtype = fc.constantFrom(...Object.keys(typed));
const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const count = (sides: readonly number[]): number => sides.reduce((product, side) => product * side, 1);
const viewed = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

interface Shaped {
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
  readonly dtype: string;
}

const anyArray = fc
  .tuple(dtype, shape)
  .chain(([name, sides]) => typed[name]!(count(sides)).map((data) => ({ dtype: name, shape: sides, data })));

function shaped(name: string): EncodedValues {
  const arrays = shape.chain((sides) => typed[name]!(count(sides)).map((data) => ({ shape: sides, data })));
  const read = (value: Shaped | ArrayBufferView): unknown =>
    ArrayBuffer.isView(value)
      ? { shape: Uint32Array.of((value as Uint8Array).length), values: value }
      : { shape: Uint32Array.from(value.shape), values: value.data };
  const plain = fc.integer({ min: 1, max: 5 }).chain(typed[name]!);
  return { encoding: `ndarray:${name}`, value: fc.oneof(arrays, plain), read: read as EncodedValues['read'] };
}

/** Whole numbers of each size, floats, text, bytes, images, lists and arrays: each encoding but `pkl`. */
export const encodedValues: readonly EncodedValues[] = [
  ...['int', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'].map(whole),
  { encoding: 'float64', value: fc.double(), read: same },
  { encoding: 'float32', value: fc.float(), read: same },
  {
    encoding: 'float16',
    value: fc.double({ min: -65000, max: 65000 }),
    read: (value: number) => float16Value(float16Bits(value)),
  },
  { encoding: 'str', value: fc.oneof(text, text.map(Buffer.from)), read: (value: unknown) => String(value) },
  { encoding: 'str_int', value: fc.oneof(fc.bigInt(), fc.maxSafeInteger()), read: (value: unknown) => String(value) },
  { encoding: 'str_float', value: fc.double(), read: same },
  {
    encoding: 'str_decimal',
    value: fc.oneof(fc.bigInt(), fc.constantFrom('1.10', '-0.5', '1E+5', 'NaN', '-Infinity', '0.000001')),
    read: (value: unknown) => String(value),
  },
  { encoding: 'json', value: text.map((name) => ({ name, list: [1, null, true] })), read: json },
  ...['bytes', 'jpeg', 'png'].map((encoding) => ({ encoding, value: bytes, read: same })),
  { encoding: 'pil', value: image, read: same },
  { encoding: 'list[pil]', value: fc.array(image, { maxLength: 3 }), read: same },
  { encoding: 'list[jpeg]', value: fc.array(bytes, { maxLength: 3 }), read: same },
  { encoding: 'list[png]', value: fc.array(bytes, { maxLength: 3 }), read: same },
  { encoding: 'jpeg_array', value: fc.array(bytes, { minLength: 1, maxLength: 3 }), read: same },
  {
    encoding: 'ndarray',
    value: anyArray,
    read: ({ shape: sides, data, dtype: name }: Shaped) => {
      return { dtype: name, shape: Uint32Array.from(sides), data: viewed(data) };
    },
  },
  ...Object.keys(typed).map(shaped),
  { encoding: 'ndarray:float32:3', value: typed['float32']!(3), read: same },
  {
    encoding: 'ndarray:int16:2,3',
    value: typed['int16']!(6),
    read: (value: Int16Array) => [value.slice(0, 3), value.slice(3)],
  },
] as readonly EncodedValues[];

/** As Python's `json.dumps`: a space behind `:` and `,`, and ASCII alone. */
function json({ name }: { name: string }): string {
  const ascii = JSON.stringify(name).replace(/[\u007f-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `{"name": ${ascii}, "list": [1, null, true]}`;
}
