import { readFileSync } from 'node:fs';
import { type Data, Float32, Int16, Utf8, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assembled, kernelPath } from '../../scripts/assemble.js';
import { assembleData, flattenData, hasInnerDictionary } from '../../src/arrow/flat.js';
import { gatherColumn } from '../../src/arrow/gather.js';
import { type Ranges, rowRanges } from '../../src/arrow/ranges.js';
import { valueAt } from '../../src/arrow/rows.js';
import { columnSources } from '../../src/arrow/sources.js';
import { Arena } from '../../src/core/arena.js';
import { lawRuns } from '../laws.js';
import { arbColumns } from './columns.js';

const values = (data: Data): unknown[] => Array.from({ length: data.length }, (_, row) => valueAt(data, row));

/** The same column, all of whose buffers lie in `arena`. */
function within(arena: Arena, data: Data): Data {
  const flat = flattenData(data);
  const buffers = flat.buffers.map((bytes) => {
    const memory = arena.allocate(bytes.byteLength)!;
    memory.set(bytes);
    return memory;
  });
  return assembleData(data.type, { nodes: flat.nodes, buffers, node: 0, buffer: 0 }, data.dictionary);
}

/** A column of `values` in `arena`. */
function column(arena: Arena, ofValues: readonly (string | null)[], type = new Utf8()): Data {
  return within(arena, vectorFromArray(ofValues, type).data[0]!);
}

describe('rows of an arena', () => {
  it('are gathered as those of any other memory are, of every type, row by row and by runs', () => {
    const rowsMost = 60;
    fc.assert(
      fc.property(arbColumns({ most: 3 }), fc.infiniteStream(fc.nat()), ({ type, columns }, picks) => {
        fc.pre(!hasInnerDictionary(type));
        const others = columns.filter(({ length }) => length > 0);
        fc.pre(others.length > 0);
        const arena = new Arena();
        const sources = others.map((data) => within(arena, data));
        const count = picks.next().value % rowsMost;
        const source = Int32Array.from({ length: count }, () => picks.next().value % sources.length);
        const row = source.map((from) => picks.next().value % sources[from]!.length);
        const ranges = rowRanges(source, row);
        const found = gatherColumn(columnSources(type, sources), ranges);
        expect(values(found)).toEqual(values(gatherColumn(columnSources(type, others), ranges)));
        expect([found.values, found.valueOffsets].some((part) => part?.buffer instanceof SharedArrayBuffer)).toBe(
          false,
        );
      }),
      { numRuns: lawRuns(300, 5000) },
    );
  });

  it('may be more than are handed over at a time, empty, and larger than the room they are copied through', () => {
    const arena = new Arena();
    const texts = [
      Array.from({ length: 50 }, (_, row) => 'ab'.repeat((row * 37) % 200)),
      ['', 'x'.repeat(200_000), '', 'y'.repeat(131_072), 'z'.repeat(131_073), 'end'],
    ];
    const sources = texts.map((own) => column(arena, own));
    const count = 10_000;
    const source = Int32Array.from({ length: count }, (_, at) => (at % 997 === 0 ? 1 : 0));
    const row = source.map((from, at) => (at * 7) % texts[from]!.length);
    const prepared = columnSources(new Utf8(), sources);
    expect(prepared.addresses).toBeDefined();
    const found = gatherColumn(prepared, rowRanges(source, row));
    expect(values(found)).toEqual(Array.from(source, (from, at) => texts[from]![row[at]!]));
  });

  it('are copied by runs of any length, which may be larger than the room', () => {
    const arena = new Arena();
    const rows = 90_000;
    const numbers = Float32Array.from({ length: rows }, (_, at) => at);
    const data = within(arena, vectorFromArray([...numbers], new Float32()).data[0]!);
    const lengths = Int32Array.from({ length: 40 }, (_, at) => (at === 20 ? 50_000 : (at * 13) % 400));
    const start = lengths.map((length, at) => (at * 1009) % (rows - length));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const ranges: Ranges = { count: 40, source: new Int32Array(40), start, lengths, total };
    const prepared = columnSources(data.type, [data]);
    expect(prepared.addresses).toBeDefined();
    const expected = Array.from(start, (from, at) => numbers.subarray(from, from + lengths[at]!)).flatMap((part) => [
      ...part,
    ]);
    expect(values(gatherColumn(prepared, ranges))).toEqual(expected);
  });

  it('are gathered with rows of other memory too', () => {
    const arena = new Arena();
    const there = within(arena, vectorFromArray([1, 2, 3, 4, 5, 6, 7, 8], new Int16()).data[0]!);
    const elsewhere = vectorFromArray([-1, -2], new Int16()).data[0]!;
    const ranges = rowRanges(Int32Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0, 0), Int32Array.of(7, 1, 5, 3, 0, 1, 0, 2, 4, 6));
    const found = gatherColumn(columnSources(there.type, [there, elsewhere]), ranges);
    expect(values(found)).toEqual([8, -2, 6, 4, -1, 2, 1, 3, 5, 7]);
  });
});

describe('the kernel', () => {
  it('is what its source says', async () => {
    expect(readFileSync(kernelPath, 'utf8')).toBe(await assembled());
  });
});
