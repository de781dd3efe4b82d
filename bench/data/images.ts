import { Field, FixedSizeList, Float32, Int32, Int64, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { type DataSet, makeTable } from './data-set.js';
import { numbersFrom } from './numbers.js';

/** {id int64, image float32[784], label int32}, as MNIST has it. */
export const images: DataSet = {
  name: 'images',
  make: (scale) => makeTable('images', [imageBatch(scale.rows(imageRowCount))]),
};

export const imageRowCount = 50_000;
export const imageSize = 784;
/** Bytes of image and label. */
export const imageRowBytes: number = imageSize * 4 + 4;

/** The images as arrays in memory: `[rows, 784]` and `[rows]`. */
export function imageArrays(rows: number): { images: Float32Array; labels: Int32Array } {
  const next = numbersFrom(2);
  const images = Float32Array.from({ length: rows * imageSize }, () => next() / 2 ** 32);
  return { images, labels: Int32Array.from({ length: rows }, () => next() % 10) };
}

/** The same as one record batch. */
export function imageBatch(rows: number): RecordBatch {
  const { images: pixels, labels } = imageArrays(rows);
  const image = new FixedSizeList(imageSize, new Field('item', new Float32(), true));
  const schema = new Schema([
    new Field('id', new Int64(), true),
    new Field('image', image, true),
    new Field('label', new Int32(), true),
  ]);
  const ids = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
  const pixelData = makeData({ type: new Float32(), length: pixels.length, data: pixels });
  const children = [
    makeData({ type: new Int64(), length: rows, data: ids }),
    makeData({ type: image, length: rows, child: pixelData }),
    makeData({ type: new Int32(), length: rows, data: labels }),
  ];
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, children }));
}
