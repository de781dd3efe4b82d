import { Data, Utf8 } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assembleData, flattenData, hasInnerDictionary } from '../../src/arrow/flat.js';
import { gatherColumn } from '../../src/arrow/gather.js';
import { oneRange, rowRanges } from '../../src/arrow/ranges.js';
import { valueAt } from '../../src/arrow/rows.js';
import { columnSources } from '../../src/arrow/sources.js';
import { lawRuns } from '../laws.js';
import { arbColumns } from './columns.js';

const values = (data: Data): unknown[] => Array.from({ length: data.length }, (_, row) => valueAt(data, row));

describe('gather', () => {
  test('takes exactly the rows named, of every type, nulls and slices included', () => {
    fc.assert(
      fc.property(arbColumns({ most: 3 }), fc.infiniteStream(fc.nat()), ({ type, columns }, picks) => {
        const sources = columns.filter((column) => column.length > 0);
        const count = sources.length === 0 ? 0 : picks.next().value % 40;
        const source = new Int32Array(count);
        const row = new Int32Array(count);
        for (let at = 0; at < count; at++) {
          const follow = at > 0 && picks.next().value % 2 === 0 && row[at - 1]! + 1 < sources[source[at - 1]!]!.length;
          source[at] = follow ? source[at - 1]! : picks.next().value % sources.length;
          row[at] = follow ? row[at - 1]! + 1 : picks.next().value % sources[source[at]!]!.length;
        }
        const gathered = gatherColumn(columnSources(type, sources), rowRanges(source, row));
        const expected = Array.from(source, (from, at) => valueAt(sources[from]!, row[at]!));
        expect(values(gathered)).toEqual(expected);
      }),
      { numRuns: lawRuns(300, 5000) },
    );
  });

  test('a range of one source equals its slice', () => {
    fc.assert(
      fc.property(arbColumns({ most: 1 }), fc.nat(), fc.nat(), ({ type, columns }, a, b) => {
        const [column] = columns;
        const from = a % (column!.length + 1);
        const length = b % (column!.length - from + 1);
        const gathered = gatherColumn(columnSources(type, [column!]), oneRange(from, length));
        expect(values(gathered)).toEqual(values(column!).slice(from, from + length));
      }),
      { numRuns: lawRuns(200, 3000) },
    );
  });
});

describe('flat columns', () => {
  test('taking a column apart and building it again changes no value', () => {
    fc.assert(
      fc.property(arbColumns({ most: 1 }), ({ type, columns }) => {
        fc.pre(!hasInnerDictionary(type));
        const flat = flattenData(columns[0]!);
        const buffers = flat.buffers.map((bytes) => Uint8Array.from(bytes));
        const cursor = { nodes: flat.nodes, buffers, node: 0, buffer: 0 };
        const again = assembleData(type, cursor, columns[0]!.dictionary);
        expect(values(again)).toEqual(values(columns[0]!));
        expect([cursor.node, cursor.buffer]).toEqual([flat.nodes.length, flat.buffers.length]);
      }),
      { numRuns: lawRuns(200, 3000) },
    );
  });

  test('refuses text that offsets of 32 bits cannot reach over', () => {
    // Offsets that claim more than there is: it is refused before any byte is looked at.
    const half = new Data(new Utf8(), 0, 1, 0, [Int32Array.of(0, 2 ** 30), new Uint8Array(1)]);
    const column = columnSources(half.type, [half, half]);
    const work = (): unknown => gatherColumn(column, rowRanges(Int32Array.of(0, 1), new Int32Array(2)));
    expect(work).toThrow(
      expect.objectContaining({ code: 'limit_exceeded', details: expect.objectContaining({ bytes: 2 ** 31 }) }),
    );
  });
});
