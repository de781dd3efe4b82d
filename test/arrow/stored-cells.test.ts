import { Binary, type Data, type DataType, Field, FixedSizeList, Float64, Uint16, Utf8 } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatherColumn } from '../../src/arrow/gather.js';
import { rowRanges } from '../../src/arrow/ranges.js';
import { columnSources } from '../../src/arrow/sources.js';
import { type BlockColumn, blockBytes, decodedCells, StoredCells } from '../../src/arrow/stored-cells.js';
import { lawRuns } from '../laws.js';

const list = (size: number, type: DataType): DataType => new FixedSizeList(size, new Field('item', type, true));
/** Each type, and the bytes of a value where all have as many. */
const types: readonly [DataType, number | undefined][] = [
  [new Utf8(), undefined],
  [new Binary(), undefined],
  [list(3, new Uint16()), 6],
  [list(2, list(2, new Float64())), 32],
];

/** Values as they are stored, with other bytes between them: in any order where `turned`. */
function stored(type: DataType, values: readonly Uint8Array[], gap: number, turned: boolean): StoredCells {
  const order = values.map((_, at) => at);
  if (turned) order.reverse();
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + value.length + gap, 0)).fill(0x2e);
  const starts = new Int32Array(values.length);
  let at = 0;
  for (const number of order) {
    bytes.set(values[number]!, at + gap);
    starts[number] = at + gap;
    at += gap + values[number]!.length;
  }
  const ends = starts.map((start, number) => start + values[number]!.length);
  return new StoredCells(type, bytes, starts, ends);
}

/** The bytes of each value; null where it is. */
function bytesOf(data: Data): (number[] | null)[] {
  let leaf = data;
  while (leaf.children.length > 0) leaf = leaf.children[0]!;
  const { buffer, byteOffset, byteLength } = leaf.values as Uint8Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const size = data.length === 0 ? 0 : byteLength / data.length;
  const offsets = data.valueOffsets as Int32Array | undefined;
  return Array.from({ length: data.length }, (_, row) => {
    if (!data.getValid(row)) return null;
    return [...bytes.subarray(offsets?.[row] ?? row * size, offsets?.[row + 1] ?? (row + 1) * size)];
  });
}

test('values are the same from where they are stored as from a column, beside columns and nulls', () => {
  const arbSource = (size: number | undefined) =>
    fc.record({
      values: fc.array(fc.uint8Array(size === undefined ? { maxLength: 40 } : { minLength: size, maxLength: size }), {
        minLength: 1,
        maxLength: 8,
      }),
      gap: fc.nat(5),
      turned: fc.boolean(),
      as: fc.constantFrom('stored', 'data', 'nulls'),
    });
  const law = fc.property(
    fc
      .constantFrom(...types)
      .chain(([type, size]) =>
        fc.record({ type: fc.constant(type), sources: fc.array(arbSource(size), { minLength: 1, maxLength: 4 }) }),
      ),
    fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 }),
    ({ type, sources }, picks) => {
      const columns = sources.map(({ values, gap, turned, as }): BlockColumn => {
        const cells = stored(type, values, gap, turned);
        if (as === 'stored') return cells;
        const data = decodedCells(cells);
        expect(bytesOf(data)).toEqual(values.map((value) => [...value]));
        return as === 'data' ? data : data.clone(type, 0, data.length, 1, withFirstNull(data));
      });
      const source = Int32Array.from(picks, ([from]) => from % sources.length);
      const row = Int32Array.from(picks, ([, at], number) => at % sources[source[number]!]!.values.length);
      const gathered = gatherColumn(columnSources(type, columns), rowRanges(source, row));
      const expected = Array.from(source, (from, number) => {
        const { values, as } = sources[from]!;
        return as === 'nulls' && row[number] === 0 ? null : [...values[row[number]!]!];
      });
      expect(bytesOf(gathered)).toEqual(expected);
    },
  );
  fc.assert(law, { numRuns: lawRuns(300, 10_000) });
});

function withFirstNull(data: Data): never {
  const { valueOffsets, values } = data;
  return [valueOffsets, values, new Uint8Array(8).fill(0xff).fill(0xfe, 0, 1)] as never;
}

test('what is left where it was stored is counted once for all columns of it', () => {
  const one = stored(new Binary(), [new Uint8Array(10)], 2, false);
  const other = new StoredCells(new Utf8(), one.bytes, one.starts, one.ends);
  const data = decodedCells(one);
  expect(blockBytes([one, other, data])).toBe(12 + data.byteLength);
});
