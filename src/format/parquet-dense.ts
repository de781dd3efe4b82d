import type { SchemaElement } from 'hyparquet';
import { parquetColumnBytesMax } from '../core/limits.js';
import { checkDeltas, unpackDeltas } from './delta-packed.js';
import { bitsFor, checkHybrid, readHybrid } from './hybrid-levels.js';

/** Values without their nulls, of one column chunk: `width` bytes each, or bytes between offsets. */
export type DenseValues = FixedValues | ByteValues;

/** The bytes of a page that hold its values. */
export interface ValueBytes {
  readonly bytes: Uint8Array;
  readonly from: number;
}

const offsetMax = 2 ** 31 - 1;
/** By how much more than was promised room is made, as pages are not all alike. */
const spareShare = 1.1;

/**
 * Values of a column of `element`, `most` of them: memory is taken as they come. @throws RangeError for more than a row group
 * may have.
 */
export function denseValues(element: SchemaElement, most: number): DenseValues {
  checkRoom(most * (element.type === 'BYTE_ARRAY' ? 4 : widthOf(element)));
  return element.type === 'BYTE_ARRAY' ? new ByteValues(most) : new FixedValues(widthOf(element), most);
}

/** Run lengths make billions of values of a few bytes. @throws RangeError for more bytes than a column may take. */
export function checkRoom(bytes: number): void {
  if (bytes > parquetColumnBytesMax) throw new RangeError(`${bytes} bytes of values in one row group`);
}

/** Bytes of a value; of a boolean one. */
function widthOf({ type, type_length: length }: SchemaElement): number {
  switch (type) {
    case 'BOOLEAN':
      return 1;
    case 'INT32':
    case 'FLOAT':
      return 4;
    case 'INT96':
      return 12;
    case 'FIXED_LEN_BYTE_ARRAY':
      return length ?? 0;
    default:
      return 8;
  }
}

export class FixedValues {
  readonly width: number;
  /** The values, and room for more. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  /** What part the values that are added next are of all that are still to come. */
  share = 1;
  readonly #most: number;

  constructor(width: number, most: number) {
    this.width = width;
    this.#most = most;
  }

  /** Makes room for `more` values, which there are by what was seen of them. */
  #room(more: number): void {
    const { width, length } = this;
    const size = (length + more) * width;
    if (size <= this.bytes.length) return;
    if (size > offsetMax) throw new RangeError(`${size} bytes of values in one row group`);
    const promised = Math.min(this.#most, Math.ceil((length + more / this.share) * spareShare)) * width;
    const grown = new Uint8Array(Math.max(size, Math.min(promised, offsetMax)));
    grown.set(this.bytes.subarray(0, length * width));
    this.bytes = grown;
  }

  /** Values as they lie in `source` from byte `from` on. */
  addPlain(source: Uint8Array, from: number, count: number): void {
    const size = count * this.width;
    if (from + size > source.length) throw new Error(`${count} values are cut short`);
    this.#room(count);
    this.bytes.set(source.subarray(from, from + size), this.length * this.width);
    this.length += count;
  }

  addBits(source: Uint8Array, from: number, count: number): void {
    if (from + Math.ceil(count / 8) > source.length) throw new Error(`${count} booleans are cut short`);
    this.#room(count);
    const { bytes, length } = this;
    for (let at = 0; at < count; at++) bytes[length + at] = (source[from + (at >> 3)]! >> (at & 7)) & 1;
    this.length += count;
  }

  addFrom(dictionary: FixedValues, indices: Int32Array): void {
    this.#room(indices.length);
    const { width, length } = this;
    const words = width % 4 === 0 ? width / 4 : 0;
    if (words === 0) this.#addUnits(this.bytes, dictionary.bytes, width, indices);
    else {
      const from = new Int32Array(dictionary.bytes.buffer, 0, dictionary.length * words);
      const to = new Int32Array(this.bytes.buffer, 0, (length + indices.length) * words);
      this.#addUnits(to, from, words, indices);
    }
    this.length += indices.length;
  }

  #addUnits(to: Uint8Array | Int32Array, from: Uint8Array | Int32Array, units: number, indices: Int32Array): void {
    let place = this.length * units;
    for (let at = 0; at < indices.length; at++) {
      const start = indices[at]! * units;
      for (let unit = 0; unit < units; unit++) to[place++] = from[start + unit]!;
    }
  }
}

export class ByteValues {
  /** Where values begin in `bytes`, and behind the last one room for more. */
  offsets: Int32Array = new Int32Array(1);
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  /** As of {@link FixedValues}. */
  share = 1;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Values with their lengths before them. */
  addPlain(source: Uint8Array, from: number, count: number): void {
    if (from + 4 * count > source.length) throw new Error(`${count} values are cut short`);
    let place = this.#room(count, source.length - from - 4 * count);
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const { offsets, bytes, length } = this;
    for (let at = 0, next = from; at < count; at++) {
      if (next + 4 > source.length) throw new Error(`${count} values are cut short`);
      const size = view.getUint32(next, true);
      next += 4;
      if (next + size > source.length) throw new Error(`a value of ${size} bytes reaches beyond its page`);
      copy(source, next, size, bytes, place);
      next += size;
      place += size;
      offsets[length + at + 1] = place;
    }
    this.length += count;
  }

  addFrom(dictionary: ByteValues, indices: Int32Array): void {
    const starts = dictionary.offsets;
    let size = 0;
    for (let at = 0; at < indices.length; at++) size += starts[indices[at]! + 1]! - starts[indices[at]!]!;
    let place = this.#room(indices.length, size);
    const { offsets, bytes, length } = this;
    for (let at = 0; at < indices.length; at++) {
      const from = starts[indices[at]!]!;
      const count = starts[indices[at]! + 1]! - from;
      copy(dictionary.bytes, from, count, bytes, place);
      place += count;
      offsets[length + at + 1] = place;
    }
    this.length += indices.length;
  }

  /** Values that begin with `prefixes[i]` bytes of the one before and go on with `lengths[i]` bytes of `source`. */
  addDeltas(source: Uint8Array, from: number, lengths: Int32Array, prefixes?: Int32Array): void {
    const sizeOf = (at: number): number => lengths[at]! + (prefixes?.[at] ?? 0);
    let size = 0;
    for (let at = 0; at < lengths.length; at++) size += sizeOf(at);
    let place = this.#room(lengths.length, size);
    const { offsets, bytes, length } = this;
    let before = 0;
    for (let at = 0, next = from; at < lengths.length; at++) {
      const [own, prefix] = [lengths[at]!, prefixes?.[at] ?? 0];
      if (own < 0 || prefix < 0 || prefix > before || next + own > source.length) {
        throw new Error('lengths of values do not fit their page');
      }
      bytes.copyWithin(place, place - before, place - before + prefix);
      copy(source, next, own, bytes, place + prefix);
      next += own;
      before = prefix + own;
      place += before;
      offsets[length + at + 1] = place;
    }
    this.length += lengths.length;
  }

  /** Makes room for `values` values of `more` bytes, which there are by what was seen of them; returns where they begin. */
  #room(values: number, more: number): number {
    const wantedOffsets = this.length + values + 1;
    if (wantedOffsets > this.offsets.length) {
      const promised = Math.min(this.#most, Math.ceil((this.length + values / this.share) * spareShare)) + 1;
      const grown = new Int32Array(Math.max(wantedOffsets, promised));
      grown.set(this.offsets.subarray(0, this.length + 1));
      this.offsets = grown;
    }
    const used = this.offsets[this.length]!;
    const wanted = used + more;
    if (!(wanted <= offsetMax)) throw new RangeError(`${wanted} bytes of text or binary in one row group`);
    if (wanted > this.bytes.length) {
      const grown = new Uint8Array(used === 0 ? wanted : Math.min(offsetMax, Math.max(wanted, 2 * this.bytes.length)));
      grown.set(this.bytes.subarray(0, used));
      this.bytes = grown;
    }
    return used;
  }
}

/** Short values byte by byte, which costs less than a call that makes a view. */
function copy(from: Uint8Array, at: number, size: number, to: Uint8Array, place: number): void {
  if (size > 24) to.set(from.subarray(at, at + size), place);
  else for (let byte = 0; byte < size; byte++) to[place + byte] = from[at + byte]!;
}

/** Adds `count` values of a page to `values`. @throws Error for bytes that cannot be, and `unsupported encoding`. */
export function addValues(
  values: DenseValues,
  encoding: string,
  element: SchemaElement,
  page: ValueBytes,
  count: number,
  dictionary: DenseValues | undefined,
): void {
  if (count === 0) return;
  const { bytes, from } = page;
  switch (encoding) {
    case 'PLAIN':
      if (element.type === 'BOOLEAN') (values as FixedValues).addBits(bytes, from, count);
      else values.addPlain(bytes, from, count);
      return;
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY':
      addIndexed(values, dictionary, bytes, from, count);
      return;
    case 'RLE': {
      if (element.type !== 'BOOLEAN') break;
      // Four bytes with their length come first.
      checkHybrid(bytes, from + 4, bytes.length, 1, count);
      const bits = new Uint8Array(count);
      readHybrid(bytes, from + 4, bytes.length, 1, bits, count);
      values.addPlain(bits, 0, count);
      return;
    }
    case 'DELTA_BINARY_PACKED': {
      const words = element.type === 'INT32' ? 1 : 2;
      checkDeltas(bytes, from, count);
      const unpacked = new Int32Array(count * words);
      unpackDeltas(bytes, from, count, words, unpacked);
      values.addPlain(new Uint8Array(unpacked.buffer), 0, count);
      return;
    }
    case 'DELTA_LENGTH_BYTE_ARRAY': {
      checkDeltas(bytes, from, count);
      const lengths = new Int32Array(count);
      addDeltas(values, bytes, unpackDeltas(bytes, from, count, 1, lengths), lengths);
      return;
    }
    case 'DELTA_BYTE_ARRAY': {
      checkDeltas(bytes, from, count);
      const prefixes = new Int32Array(count);
      const lengths = new Int32Array(count);
      const next = unpackDeltas(bytes, from, count, 1, prefixes);
      addDeltas(values, bytes, unpackDeltas(bytes, next, count, 1, lengths), lengths, prefixes);
      return;
    }
    case 'BYTE_STREAM_SPLIT':
      if (!(values instanceof FixedValues)) break;
      values.addPlain(joined(bytes, from, count, values.width), 0, count);
      return;
  }
  throw new Error(`values of type ${element.type} in the encoding ${encoding}`);
}

function addIndexed(
  values: DenseValues,
  dictionary: DenseValues | undefined,
  bytes: Uint8Array,
  from: number,
  count: number,
): void {
  if (dictionary === undefined) throw new Error('there is no dictionary for indices');
  const width = bytes[from];
  if (width === undefined || width > 32) throw new Error('indices are cut short');
  if (width > 0) checkHybrid(bytes, from + 1, bytes.length, width, count);
  if (4 * count > offsetMax) throw new RangeError(`${4 * count} bytes of indices in one row group`);
  const indices = new Int32Array(count);
  if (width > 0) readHybrid(bytes, from + 1, bytes.length, width, indices, count);
  let low = 0;
  let high = 0;
  for (let at = 0; at < count; at++) {
    const index = indices[at]!;
    if (index > high) high = index;
    if (index < low) low = index;
  }
  if (low < 0 || high >= dictionary.length) {
    throw new Error(`an index points beyond its dictionary of ${dictionary.length} values (${bitsFor(high)} bits)`);
  }
  if (values instanceof ByteValues) values.addFrom(dictionary as ByteValues, indices);
  else values.addFrom(dictionary as FixedValues, indices);
}

function addDeltas(
  values: DenseValues,
  bytes: Uint8Array,
  from: number,
  lengths: Int32Array,
  prefixes?: Int32Array,
): void {
  if (values instanceof ByteValues) {
    values.addDeltas(bytes, from, lengths, prefixes);
    return;
  }
  // Fixed-size binary may be stored so as well: each value then has its full length.
  const text = new ByteValues(lengths.length);
  text.addDeltas(bytes, from, lengths, prefixes);
  for (let at = 0; at < lengths.length; at++) {
    if (text.offsets[at + 1]! !== (at + 1) * values.width)
      throw new Error('a value has another length than its column');
  }
  values.addPlain(text.bytes, 0, lengths.length);
}

/** Values whose first bytes come first, then all second ones, and so on. */
function joined(bytes: Uint8Array, from: number, count: number, width: number): Uint8Array {
  if (from + count * width > bytes.length) throw new Error(`${count} values are cut short`);
  const whole = new Uint8Array(count * width);
  for (let byte = 0, next = from; byte < width; byte++) {
    for (let at = 0; at < count; at++) whole[at * width + byte] = bytes[next++]!;
  }
  return whole;
}
