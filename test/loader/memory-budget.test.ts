import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import { leastMemory, type MemoryNeeds, memoryBudget } from '../../src/loader/memory-budget.js';
import { ReadAhead, readAheadBounds } from '../../src/loader/read-ahead.js';
import { rowBytes } from '../../src/loader/row-bytes.js';
import { lawRuns } from '../laws.js';

const arbNeeds: fc.Arbitrary<MemoryNeeds> = fc
  .record({
    bytes: fc.double({ min: 1, max: 200_000, noNaN: true }),
    buffers: fc.integer({ min: 1, max: 40 }),
    shuffles: fc.boolean(),
    windowRows: fc.integer({ min: 1, max: 100_000 }),
    beyond: fc.nat(100_000),
    lanes: fc.integer({ min: 1, max: 64 }),
    chunkRows: fc.integer({ min: 1, max: 100_000 }),
    storedRows: fc.integer({ min: 1, max: 10_000 }),
    batchRows: fc.integer({ min: 1, max: 5000 }),
    maps: fc.boolean(),
  })
  .map(({ bytes, buffers, beyond, ...needs }) => ({
    ...needs,
    row: { bytes, buffers, exact: true },
    bufferRows: needs.windowRows + beyond,
  }));

describe('a memory budget', () => {
  test('gives every part what it needs at least, and all together no more than there is', () => {
    fc.assert(
      fc.property(arbNeeds, fc.double({ min: 1, max: 1000, noNaN: true }), (needs, times) => {
        const { total, window, scratch, batch } = leastMemory(needs);
        const bytesMax = Math.ceil(total * times);
        const budget = memoryBudget(bytesMax, needs);
        const { blocksBytesMax, inFlightBytesMax, mapBytesMax, groupBytesMax } = budget;
        expect(blocksBytesMax).toBeGreaterThanOrEqual(window + scratch - 1);
        expect(inFlightBytesMax).toBeGreaterThanOrEqual(2 * batch);
        expect(groupBytesMax).toBeGreaterThanOrEqual(batch);
        expect(groupBytesMax * 2).toBeLessThanOrEqual(Math.max(2 * batch, inFlightBytesMax));
        expect(mapBytesMax).toBeGreaterThanOrEqual(needs.maps ? 2 * batch : 0);
        const all = blocksBytesMax + inFlightBytesMax + mapBytesMax + 2 * groupBytesMax;
        expect(all).toBeLessThanOrEqual(bytesMax + 1);
        // The window at hand, those read ahead, and what reads take meanwhile.
        const { from, to } = readAheadBounds(
          { batchReadahead: undefined, batchSize: needs.batchRows },
          needs.shuffles,
          budget,
        );
        expect(from).toBeLessThanOrEqual(to);
        const held = (1 + to) * budget.windowBytes + budget.readsMax * scratch;
        expect(held).toBeLessThanOrEqual(blocksBytesMax + 1);
        expect(budget.readsMax).toBeGreaterThanOrEqual(1);
        expect(() => memoryBudget(total - 1, needs)).toThrow(/memoryBytesMax/);
      }),
      { numRuns: lawRuns(300, 5000) },
    );
  });

  test('counts rows of fixed size as they are, and others by the average of the files', () => {
    const schema = toSchema({ id: 'int64', image: 'fixed_size_list<uint8>[784]', flag: 'bool' }, 'the test');
    const { bytes, exact } = rowBytes({ schema, bytesPerRow: 5000 });
    expect(exact).toBe(true);
    const columns = { id: [1n, 2n], image: [Array(784).fill(1), Array(784).fill(2)], flag: [true, false] };
    const batch = columnsToBatch(
      Object.fromEntries(Object.entries(columns).map(([name, of]) => [name, many(of)])),
      schema,
    );
    expect(batch.data.byteLength / batch.numRows).toBeLessThanOrEqual(bytes);
    expect(batch.data.byteLength / batch.numRows).toBeGreaterThan(bytes * 0.8);
    const varying = toSchema({ id: 'int64', text: 'utf8' }, 'the test');
    expect(rowBytes({ schema: varying, bytesPerRow: 5000 })).toMatchObject({ bytes: 5000, exact: false });
    expect(rowBytes({ schema: varying, bytesPerRow: undefined }).bytes).toBeGreaterThan(12);
  });
});

const many = (values: readonly unknown[]): unknown[] =>
  Array.from({ length: 800 }, (_, at) => values[at % values.length]!);

describe('automatic read-ahead', () => {
  const bounds = { from: 1, to: 6, why: 'as given' };

  test('doubles up to its bound while windows are waited for, and halves when none is for long', () => {
    const ahead = new ReadAhead(bounds);
    const seen = Array.from({ length: 12 }, () => {
      ahead.wanted(false);
      return ahead.windows;
    });
    expect(seen).toEqual([1, 1, 2, 2, 2, 4, 4, 4, 6, 6, 6, 6]);
    expect(ahead.figures(10)).toEqual({ batches: 60, why: expect.stringMatching(/waited for/) });
    for (let ready = 0; ready < 64; ready++) ahead.wanted(true);
    expect(ahead.windows).toBe(3);
    expect(ahead.figures(10).why).toMatch(/were ready/);
    for (let ready = 0; ready < 640; ready++) ahead.wanted(true);
    expect(ahead.windows).toBe(1);
  });

  test('stays where it is fixed', () => {
    const ahead = new ReadAhead({ ...bounds, to: 1 });
    for (let waited = 0; waited < 10; waited++) ahead.wanted(false);
    expect(ahead.figures(2)).toEqual({ batches: 2, why: 'as given' });
  });
});
