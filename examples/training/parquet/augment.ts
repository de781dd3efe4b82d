import { Table as ArrowTable, Field, FixedSizeList, makeData, makeVector, type RecordBatch, Uint8 } from 'apache-arrow';
import type { TransformContext } from 'spiral-loader';

// The transform of this example. Map workers import this file, so it only defines things.

const side = 28;
const pixels = side * side;
/** Pixels by which an image is moved at most. */
const reach = 2;

/**
 * Images as Parquet has them, 784 bytes each, to `{ image: fixed_size_list<uint8>[784], label: uint8 }`, each moved by up to
 * two pixels: otherwise in every epoch, but the same way when the run is resumed.
 */
export function augment(batch: RecordBatch, context: TransformContext): RecordBatch {
  return imagesOf(batch, (row) => {
    const draw = context.random(row);
    return [draw.below(2 * reach + 1) - reach, draw.below(2 * reach + 1) - reach];
  });
}

/** The same, each image where it is. */
export function still(batch: RecordBatch): RecordBatch {
  return imagesOf(batch, () => [0, 0]);
}

function imagesOf(batch: RecordBatch, placeOf: (row: number) => readonly [right: number, down: number]): RecordBatch {
  const image = batch.getChild('image')!;
  const moved = new Uint8Array(batch.numRows * pixels);
  for (let row = 0; row < batch.numRows; row++) {
    const bytes = image.get(row) as Uint8Array | null;
    if (bytes?.length !== pixels)
      throw new Error(`Expected an image of ${pixels} bytes, got ${bytes?.length ?? 'null'}.`);
    const [right, down] = placeOf(row);
    move(bytes, moved.subarray(row * pixels, (row + 1) * pixels), right, down);
  }
  const type = new FixedSizeList(pixels, new Field('item', new Uint8(), false));
  const child = makeData({ type: new Uint8(), length: moved.length, nullCount: 0, data: moved });
  const images = makeVector(makeData({ type, length: batch.numRows, nullCount: 0, child }));
  const labels = makeVector(Uint8Array.from(batch.getChild('label')!));
  return new ArrowTable({ image: images, label: labels }).batches[0]!;
}

function move(from: Uint8Array, to: Uint8Array, right: number, down: number): void {
  for (let y = Math.max(0, down); y < Math.min(side, side + down); y++) {
    for (let x = Math.max(0, right); x < Math.min(side, side + right); x++) {
      to[y * side + x] = from[(y - down) * side + x - right]!;
    }
  }
}
