import { Table as ArrowTable, Field, FixedSizeList, makeData, makeVector, Uint8 } from 'apache-arrow';
import type { Spiral, Table } from 'spiral-loader';
import { type IdxFile, readIdx } from './idx-file.js';

const rowsPerCommit = 10_000;
const pixels = 784;

/**
 * The table of the first `rows` images of MNIST's part: `{ id: int64 } -> { image: fixed_size_list<uint8>[784], label:
 * uint8 }`. Written in commits of 10,000 rows; a run that was killed in between goes on with the first row that is missing.
 */
export async function mnistTable(spiral: Spiral, part: 'train' | 't10k', rows: number): Promise<Table> {
  const project = (await spiral.listProjects())[0] ?? (await spiral.createProject('mnist'));
  const table = await project.createTable(`mnist.${part}_${rows}`, { keySchema: { id: 'int64' }, existOk: true });
  let written = await countRows(spiral, table);
  if (written >= rows) return table;
  const images = readIdx(`${part}-images-idx3-ubyte`);
  const labels = readIdx(`${part}-labels-idx1-ubyte`);
  while (written < rows) {
    const end = Math.min(rows, written + rowsPerCommit);
    await table.write(rowsOf(images, labels, written, end));
    written = end;
  }
  return table;
}

async function countRows(spiral: Spiral, table: Table): Promise<number> {
  return (await (await spiral.scan(table.select('id'))).toTable()).numRows;
}

function rowsOf(images: IdxFile, labels: IdxFile, from: number, to: number): ArrowTable {
  const bytes = images.bytes.subarray(from * pixels, to * pixels);
  const type = new FixedSizeList(pixels, new Field('item', new Uint8(), false));
  const child = makeData({ type: new Uint8(), length: bytes.length, nullCount: 0, data: bytes });
  return new ArrowTable({
    id: makeVector(BigInt64Array.from({ length: to - from }, (_, row) => BigInt(from + row))),
    image: makeVector(makeData({ type, length: to - from, nullCount: 0, child })),
    label: makeVector(labels.bytes.slice(from, to)),
  });
}
