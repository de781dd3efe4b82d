import { isUtf8 } from 'node:buffer';
import type { Data, DataType } from 'apache-arrow';
import { makeColumn, noNulls } from '../arrow/build-data.js';
import {
  type BlockColumn,
  cellOffsets,
  decodedCells,
  fixedColumn,
  joinedCells,
  StoredCells,
} from '../arrow/stored-cells.js';
import { type SpiralError, shown } from '../core/errors.js';
import type { Memory } from '../core/memory-pool.js';
import { type MdsBody, type MdsEncoding, type MdsNumber, mdsNumbers } from './mds-encoding.js';
import type { TextPlace } from './text-place.js';

/** Values of a column: bytes `starts[i] … ends[i]` of `bytes`. */
export interface MdsValues {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Memory for what is made of them, where there is a pool of it. */
  readonly memory?: Memory | undefined;
}

/** Makes a column of values, and says which one is to blame where one is damaged. */
export class MdsColumn {
  readonly #values: MdsValues;
  readonly #fail: (index: number, expected: string, found: string) => SpiralError;
  readonly #encoding: MdsEncoding;

  /** `place` stands at the first row; errors move it on by `rowOf`. */
  constructor(encoding: MdsEncoding, name: string, values: MdsValues, place: TextPlace) {
    const [row, byte] = [place.row, place.byte];
    this.#encoding = encoding;
    this.#values = values;
    this.#fail = (index, expected, found) => {
      place.row = row + index;
      place.byte = byte + values.starts[index]!;
      return place.corrupt(
        `${expected} (${encoding.name})`,
        found,
        'The file is damaged: restore it from a copy.',
        name,
      );
    };
  }

  /** @throws SpiralError `corrupt_file` for damaged values, `limit_exceeded` for more than an Arrow column holds. */
  data(): Data {
    const { body, type } = this.#encoding;
    switch (body.kind) {
      case 'number':
        return fixedColumn(type, this.#values.starts.length, numbers(this.#values, body.number.bytes));
      case 'bytes':
        return joined(type, this.#values);
      case 'text':
        return this.#text(type, this.#values);
      case 'floatText':
        return this.#floats(type);
      case 'pil':
        return this.#images(type, this.#values, (index) => index);
      case 'list':
        return this.#lists(type, body.reserved, body.item);
      case 'array':
        return this.#arrays(type, body.number, body.shape);
    }
  }

  /** The column, left where it is stored where copying it would cost more than looking each value up does. */
  block(): BlockColumn {
    const { body, type } = this.#encoding;
    const least = body.kind === 'text' ? storedTextBytesMin : storedBytesMin;
    const { bytes, starts, ends } = this.#values;
    if (starts.length === 0 || !isStoredAsIs(body)) return this.data();
    let size = 0;
    for (let at = 0; at < starts.length; at++) size += ends[at]! - starts[at]!;
    if (size < least * starts.length) return this.data();
    if (body.kind === 'text') {
      const bad = starts.findIndex((from, at) => !isUtf8(bytes.subarray(from, ends[at]!)));
      if (bad >= 0) throw this.#fail(bad, 'UTF-8', 'bytes that are none');
    }
    return cellsOf(type, this.#values);
  }

  #text(type: DataType, values: MdsValues, rowOf: (index: number) => number = (index) => index): Data {
    const data = joined(type, values);
    const { bytes, starts, ends } = values;
    // Text that is whole together may be cut amid a character between two values.
    let isSound = isUtf8(data.values as Uint8Array);
    for (let at = 0; isSound && at < starts.length; at++) {
      isSound = starts[at] === ends[at] || (bytes[starts[at]!]! & 0xc0) !== 0x80;
    }
    if (isSound) return data;
    const bad = starts.findIndex((from, at) => !isUtf8(bytes.subarray(from, ends[at]!)));
    throw this.#fail(rowOf(bad), 'UTF-8', 'bytes that are none');
  }

  #floats(type: DataType): Data {
    const { bytes, starts, ends } = this.#values;
    const values = new Float64Array(starts.length);
    for (let at = 0; at < starts.length; at++) {
      const text = bytes.toString('latin1', starts[at]!, ends[at]!);
      const value = pythonFloat(text);
      if (value === undefined) throw this.#fail(at, 'a float in words', shown(text));
      values[at] = value;
    }
    return makeColumn(type, starts.length, noNulls, { values });
  }

  #images(type: DataType, { bytes, starts, ends }: MdsValues, rowOf: (index: number) => number): Data {
    const count = starts.length;
    const [widths, heights] = [new Uint32Array(count), new Uint32Array(count)];
    const modes = { bytes, starts: new Int32Array(count), ends: new Int32Array(count) };
    const pixels = { bytes, starts: new Int32Array(count), ends };
    for (let at = 0; at < count; at++) {
      const [from, to] = [starts[at]!, ends[at]!];
      const mode = to - from < 12 ? Number.NaN : bytes.readUInt32LE(from + 8);
      if (!(from + 12 + mode <= to)) {
        throw this.#fail(rowOf(at), 'an image with its size and mode', `${to - from} bytes`);
      }
      widths[at] = bytes.readUInt32LE(from);
      heights[at] = bytes.readUInt32LE(from + 4);
      modes.starts[at] = from + 12;
      modes.ends[at] = from + 12 + mode;
      pixels.starts[at] = from + 12 + mode;
    }
    const [width, height, mode, pixel] = type.children.map((field) => field.type);
    return makeColumn(type, count, noNulls, {
      children: [
        makeColumn(width!, count, noNulls, { values: widths }),
        makeColumn(height!, count, noNulls, { values: heights }),
        this.#text(mode!, modes, rowOf),
        joined(pixel!, pixels),
      ],
    });
  }

  #lists(type: DataType, reserved: boolean, item: 'bytes' | 'pil'): Data {
    const { bytes, starts, ends } = this.#values;
    const offsets = new Int32Array(starts.length + 1);
    const [itemStarts, itemEnds, rows]: [number[], number[], number[]] = [[], [], []];
    const head = reserved ? 8 : 4;
    for (let row = 0; row < starts.length; row++) {
      const [from, to] = [starts[row]!, ends[row]!];
      const count = to - from < head ? Number.NaN : bytes.readUInt32LE(from + head - 4);
      let at = from + head + 4 * count;
      if (!(at <= to)) throw this.#fail(row, 'a list with its lengths', `${to - from} bytes for ${count} items`);
      for (let index = 0; index < count; index++) {
        itemStarts.push(at);
        at += bytes.readUInt32LE(from + head + 4 * index);
        itemEnds.push(Math.min(at, to));
        rows.push(row);
      }
      if (at !== to) throw this.#fail(row, 'items of just the bytes that there are', `${to - from} bytes`);
      offsets[row + 1] = itemStarts.length;
    }
    const items = { bytes, starts: Int32Array.from(itemStarts), ends: Int32Array.from(itemEnds) };
    const child = type.children[0]!.type;
    const data = item === 'pil' ? this.#images(child, items, (index) => rows[index]!) : joined(child, items);
    return makeColumn(type, starts.length, noNulls, { offsets, children: [data] });
  }

  #arrays(type: DataType, number: MdsNumber | undefined, shape: readonly number[] | undefined): Data {
    if (number !== undefined && shape !== undefined) return joined(type, this.#values);
    const { bytes, starts, ends } = this.#values;
    const count = starts.length;
    const bodies = { bytes, starts: new Int32Array(count), ends };
    const [sideOffsets, sides, dtypes]: [Int32Array, number[], string[]] = [new Int32Array(count + 1), [], []];
    for (let row = 0; row < count; row++) {
      const found = this.#header(row, number);
      dtypes.push(found.number.name);
      sides.push(...found.shape);
      bodies.starts[row] = found.from;
      sideOffsets[row + 1] = sides.length;
    }
    const sideField = type.children[number === undefined ? 1 : 0]!.type;
    const shapes = makeColumn(sideField, count, noNulls, {
      offsets: sideOffsets,
      children: [makeColumn(sideField.children[0]!.type, sides.length, noNulls, { values: Uint32Array.from(sides) })],
    });
    if (number === undefined) {
      const names = textColumn(type.children[0]!.type, dtypes);
      return makeColumn(type, count, noNulls, { children: [names, shapes, joined(type.children[2]!.type, bodies)] });
    }
    const listType = type.children[1]!.type;
    const offsets = cellOffsets(bodies.starts, bodies.ends).map((offset) => offset / number.bytes);
    const child = listType.children[0]!.type;
    const items = fixedColumn(child, offsets[count]!, joinedCells(cellsOf(child, bodies)));
    const lists = makeColumn(listType, count, noNulls, { offsets, children: [items] });
    return makeColumn(type, count, noNulls, { children: [shapes, lists] });
  }

  /** What stands before the values of an array, and where they begin. */
  #header(row: number, known: MdsNumber | undefined): { number: MdsNumber; shape: number[]; from: number } {
    const { bytes, starts, ends } = this.#values;
    const end = ends[row]!;
    let at = starts[row]!;
    const fail = (expected: string): SpiralError => this.#fail(row, expected, `${end - starts[row]!} damaged bytes`);
    const code = known?.code ?? (at < end ? bytes[at++] : undefined);
    const number = known ?? [...mdsNumbers.values()].find((candidate) => candidate.code === code);
    if (number === undefined) throw fail('an array with the number of a type');
    const word = at < end ? bytes[at++]! : 0;
    const [dims, width] = [word >> 2, 1 << (word & 3)];
    if (dims === 0 || at + dims * width > end) throw fail('an array with its shape');
    const shape: number[] = [];
    for (let dim = 0; dim < dims; dim++, at += width) {
      shape.push(width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width));
    }
    const size = shape.reduce((product, side) => product * side, number.bytes);
    if (size !== end - at) throw fail(`the ${size} bytes of an array of the shape ${shape.join('×')}`);
    return { number, shape, from: at };
  }
}

/** Bytes of a value, on average, from which it is not copied out of what was read; text is then checked value by value. */
const [storedBytesMin, storedTextBytesMin] = [64, 512];

/** Whether values are the bytes of the column's values, one a row. */
function isStoredAsIs(body: MdsBody): boolean {
  if (body.kind === 'array') return body.number !== undefined && body.shape !== undefined;
  return body.kind === 'bytes' || body.kind === 'text';
}

/** The number that Python writes as `text`; undefined where it is none. */
export function pythonFloat(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  const word = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(trimmed);
  if (word === null) return undefined;
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function textColumn(type: DataType, texts: readonly string[]): Data {
  const bytes = Buffer.from(texts.join(''));
  const offsets = new Int32Array(texts.length + 1);
  for (const [at, text] of texts.entries()) offsets[at + 1] = offsets[at]! + text.length;
  return makeColumn(type, texts.length, noNulls, { offsets, values: new Uint8Array(bytes) });
}

/** The column of `values`: bytes, text, or what is of one size. */
function joined(type: DataType, values: MdsValues): Data {
  return decodedCells(cellsOf(type, values), (bytes) => allocated(bytes, values.memory));
}

function cellsOf(type: DataType, { bytes, starts, ends }: MdsValues): StoredCells {
  // Views of a Buffer cost several times those of plain bytes.
  return new StoredCells(type, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), starts, ends);
}

/** Values of `width` bytes, one after the other: strided copies, as no value stands where typed arrays could. */
function numbers({ bytes, starts, memory }: MdsValues, width: number): Uint8Array {
  const count = starts.length;
  const whole = allocated(count * width, memory);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = width >= 4 ? new Uint32Array(whole.buffer, whole.byteOffset, (count * width) / 4) : new Uint16Array(0);
  if (width === 1) for (let at = 0; at < count; at++) whole[at] = bytes[starts[at]!]!;
  else if (width === 2) {
    const halves = new Uint16Array(whole.buffer, whole.byteOffset, count);
    for (let at = 0; at < count; at++) halves[at] = view.getUint16(starts[at]!, true);
  } else if (width === 4) for (let at = 0; at < count; at++) words[at] = view.getUint32(starts[at]!, true);
  else {
    for (let at = 0; at < count; at++) {
      words[2 * at] = view.getUint32(starts[at]!, true);
      words[2 * at + 1] = view.getUint32(starts[at]! + 4, true);
    }
  }
  return whole;
}

function allocated(bytes: number, memory: Memory | undefined): Uint8Array {
  return memory === undefined ? new Uint8Array(bytes) : memory.allocate(bytes).subarray(0, bytes);
}
