import { shown } from '../core/errors.js';
import { type GrowingBytes, growingBytesMax } from './growing-bytes.js';
import type { ValueEncoder } from './mds-number-encoder.js';
import { RefusedValue } from './refused-value.js';

/** Bits of a pixel, by Pillow's modes. Rows of mode `1` are filled up to whole bytes. */
const pixelBits: Readonly<Record<string, number>> = {
  '1': 1,
  L: 8,
  P: 8,
  LA: 16,
  La: 16,
  PA: 16,
  RGB: 24,
  YCbCr: 24,
  LAB: 24,
  HSV: 24,
  RGBA: 32,
  RGBa: 32,
  RGBX: 32,
  CMYK: 32,
  I: 32,
  F: 32,
  'I;16': 16,
  'I;16L': 16,
  'I;16B': 16,
  'I;16N': 16,
};

/** Appends bytes as they are. */
export const bytesEncoder: ValueEncoder = (value, into) => {
  if (!(value instanceof Uint8Array)) throw new RefusedValue('bytes (a Uint8Array)', shown(value));
  into.add(value);
};

/** Appends an image's size, mode and pixels: from `{ width, height, mode, pixels }`, or from these bytes themselves. */
export const pilEncoder: ValueEncoder = (value, into) => {
  if (value instanceof Uint8Array) {
    checkPil(value);
    into.add(value);
    return;
  }
  const image = value as { width?: unknown; height?: unknown; mode?: unknown; pixels?: unknown } | null;
  if (typeof image !== 'object' || image === null || !(image.pixels instanceof Uint8Array)) {
    throw new RefusedValue('an image { width, height, mode, pixels }, or its bytes', shown(value));
  }
  const { width, height, mode, pixels } = image;
  const expected = pixelBytes(width, height, mode);
  if (expected !== pixels.length) throw notPixels(expected, width, height, mode, pixels.length);
  const word = mode as string;
  const at = into.append(12 + word.length);
  into.view.setUint32(at, width as number, true);
  into.view.setUint32(at + 4, height as number, true);
  into.view.setUint32(at + 8, word.length, true);
  into.bytes.write(word, at + 12, 'latin1');
  into.add(pixels);
};

function checkPil(value: Uint8Array): void {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const mode = bytes.length < 12 ? Number.NaN : bytes.readUInt32LE(8);
  if (!(12 + mode <= bytes.length))
    throw new RefusedValue('the bytes of an image with its size and mode', shown(value));
  const [width, height, word] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.toString('latin1', 12, 12 + mode)];
  const [expected, found] = [pixelBytes(width, height, word), bytes.length - 12 - mode];
  if (expected !== found) throw notPixels(expected, width, height, word, found);
}

function notPixels(expected: number, width: unknown, height: unknown, mode: unknown, found: number): RefusedValue {
  return new RefusedValue(`the ${expected} bytes of ${width} × ${height} pixels of the mode ${mode}`, `${found}`);
}

function pixelBytes(width: unknown, height: unknown, mode: unknown): number {
  for (const side of [width, height]) {
    if (typeof side === 'number' && Number.isInteger(side) && side >= 0 && side < 2 ** 32) continue;
    throw new RefusedValue('whole numbers as the width and height of an image', shown(side));
  }
  const bits = typeof mode === 'string' && Object.hasOwn(pixelBits, mode) ? pixelBits[mode]! : undefined;
  if (bits === undefined) {
    throw new RefusedValue(`a mode of ${Object.keys(pixelBits).join(', ')} for an image`, shown(mode));
  }
  return Math.ceil(((width as number) * bits) / 8) * (height as number);
}

/**
 * Appends lists of values, each with its length; from an array, or from the list's own bytes. A `reserved` zero stands
 * first in those that may be empty.
 */
export function listEncoder(reserved: boolean, item: ValueEncoder): ValueEncoder {
  const head = reserved ? 8 : 4;
  return (value, into) => {
    if (value instanceof Uint8Array) {
      checkList(value, head);
      into.add(value);
      return;
    }
    if (!Array.isArray(value)) throw new RefusedValue('an array of images', shown(value));
    if (value.length === 0 && !reserved) throw new RefusedValue('at least one image', 'none');
    const at = into.append(head + 4 * value.length);
    if (reserved) into.view.setUint32(at, 0, true);
    into.view.setUint32(at + head - 4, value.length, true);
    for (const [index, image] of value.entries()) {
      const from = into.length;
      itemAt(item, image, index, into);
      into.view.setUint32(at + head + 4 * index, into.length - from, true);
    }
  };
}

function itemAt(item: ValueEncoder, value: unknown, index: number, into: GrowingBytes): void {
  try {
    item(value, into);
  } catch (error) {
    if (!(error instanceof RefusedValue)) throw error;
    throw new RefusedValue(`${error.expected} as item ${index}`, error.found, error.code);
  }
}

function checkList(value: Uint8Array, head: number): void {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const count = bytes.length < head ? Number.NaN : bytes.readUInt32LE(head - 4);
  let end = head + 4 * count;
  for (let at = 0; end <= bytes.length && at < count; at++) end += bytes.readUInt32LE(head + 4 * at);
  const isSound = end === bytes.length && (head === 8 ? bytes.readUInt32LE(0) === 0 : count > 0);
  if (!isSound || end > growingBytesMax) throw new RefusedValue('the bytes of a list with its lengths', shown(value));
}
