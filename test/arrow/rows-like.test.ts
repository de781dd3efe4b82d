import { Null, RecordBatch, type Schema, Table, Utf8, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildColumn, rowsToBatch } from '../../src/arrow/build.js';
import { batchRows } from '../../src/arrow/rows.js';
import { type RowsLike, toBatches } from '../../src/arrow/rows-like.js';
import { schemaWords, toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';
import { lawRuns } from '../laws.js';
import { arbBatch, expectSameValues } from './arbitrary.js';

const wordsOf = (batch: RecordBatch): Record<string, string> => Object.fromEntries(schemaWords(batch.schema));

describe('toBatches', () => {
  async function collected(data: unknown, schema?: Schema): Promise<RecordBatch[]> {
    const batches: RecordBatch[] = [];
    for await (const batch of toBatches(data as RowsLike, schema)) batches.push(batch);
    return batches;
  }

  test('reads every form of rows alike', async () => {
    const rows = [
      { id: 1, t: 'a' },
      { id: 2, t: 'b' },
      { id: 3, t: 'c' },
    ];
    const [first, second] = [rowsToBatch(rows.slice(0, 2)), rowsToBatch(rows.slice(2))];
    async function* pieces(...parts: unknown[]): AsyncGenerator<unknown> {
      yield* parts;
    }
    const forms: unknown[] = [
      rows,
      { id: [1, 2, 3], t: ['a', 'b', 'c'] },
      { id: Float64Array.of(1, 2, 3), t: vectorFromArray(['a', 'b', 'c'], new Utf8()) },
      rowsToBatch(rows),
      new Table([first, second]),
      [first, second],
      [new Table([first]), second],
      new Set([first, second]),
      pieces(first, second),
      pieces(new Table([first]), rows.slice(2)),
      pieces(rows.slice(0, 1), [], rows.slice(1)),
      pieces(...rows),
      pieces(rows[0], first.slice(1), rows[2]),
      new Set(rows),
      new ReadableStream({
        start(controller) {
          controller.enqueue(rows);
          controller.close();
        },
      }),
    ];
    for (const form of forms) expectSameValues((await collected(form)).flatMap(batchRows), rows);
    for (const none of [[], pieces(), pieces([])]) expect(await collected(none)).toEqual([]);
  });

  test('keeps the types of earlier batches in a stream of rows', async () => {
    async function* rows(): AsyncGenerator<readonly object[]> {
      yield [{ id: 1n, tags: ['a'], s: { x: 1 } }];
      yield [{ id: 2, tags: null, s: { y: 'new' } }];
      yield [{ id: 3, tags: [] }];
    }
    const batches = await collected(rows());
    expect(batches.map(wordsOf)).toEqual([
      { id: 'int64', tags: 'list<utf8>', s: 'struct<{x: float64}>' },
      { id: 'int64', tags: 'list<utf8>', s: 'struct<{y: utf8}>' },
      { id: 'int64', tags: 'list<utf8>' },
    ]);
  });

  test('takes an object in a stream for columns where its key is a list of values', async () => {
    const schema = toSchema({ id: 'binary', v: 'list<int64>' }, 'the test');
    const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
    async function* parts(): AsyncGenerator<object> {
      yield { id: one, v: [1n, 2n] };
      yield { id: [one, two], v: [[3n], [4n]] };
      yield { id: two, v: [5n] };
    }
    const rows = (await collected(parts(), schema)).flatMap(batchRows);
    expect(rows.map(({ id }) => (id as Uint8Array)[0])).toEqual([1, 1, 2, 2]);
    const numbers = toSchema({ id: 'uint8' }, 'the test');
    async function* columns(): AsyncGenerator<object> {
      yield { id: Uint8Array.of(7, 8) };
      yield { id: 9 };
    }
    expect((await collected(columns(), numbers)).flatMap(batchRows)).toEqual([{ id: 7 }, { id: 8 }, { id: 9 }]);
  });

  test('puts single rows with the same columns together, and tells in which part of a stream a fault is', async () => {
    async function* rows(): AsyncGenerator<object> {
      for (let id = 0; id < 20_000; id++) yield id % 2 === 0 ? { id } : { id, odd: id === 19_999 ? 'text' : true };
    }
    const batches: RecordBatch[] = [];
    const reading = (async () => {
      for await (const batch of toBatches(rows())) batches.push(batch);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'type_mismatch' });
    await expect(reading).rejects.toThrow(/the rows behind the first \d{5}/);
    expect(batches.map(({ numRows }) => numRows)).toEqual([4096, 4096, 4096, 4096, 1808]);
    expect(batches.map((batch) => batch.schema.fields.length)).toEqual([1, 2, 1, 2, 1]);
  });

  test('closes what it reads when the consumer leaves', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<readonly object[]> {
      try {
        for (let id = 0; ; id++) yield [{ id }];
      } finally {
        closed = true;
      }
    }
    for await (const batch of toBatches(endless())) {
      expect(batch.numRows).toBe(1);
      break;
    }
    expect(closed).toBe(true);
  });

  test.each([
    [null],
    [undefined],
    ['rows'],
    [5],
    [{}],
    [Int32Array.of(1)],
    [vectorFromArray([1, 2])],
    [new Date()],
    [[1, 2]],
  ])('refuses %s', async (data) => {
    await expect(collected(data)).rejects.toMatchObject({ code: 'invalid_rows' });
  });

  test('refuses Arrow columns that this package does not take', async () => {
    const dotted = new RecordBatch({ 'a.b': buildColumn('x', parseType('int8'), [1], 1, 'the test') });
    await expect(collected(dotted)).rejects.toMatchObject({ code: 'invalid_schema' });
    const nulls = new Table({ n: vectorFromArray([null, null], new Null()) });
    await expect(collected(nulls)).rejects.toMatchObject({ code: 'unsupported_type' });
    await expect(collected([{ id: 1 }, 5])).rejects.toMatchObject({ code: 'invalid_rows' });
  });

  test('passes any batch as it is', async () => {
    await fc.assert(
      fc.asyncProperty(arbBatch({ depth: 2 }), async ({ batch }) => {
        const found = await collected([batch, batch]);
        expect(found.length === 2 && found.every((one) => one === batch)).toBe(true);
      }),
      { numRuns: lawRuns(50, 500) },
    );
  });
});
