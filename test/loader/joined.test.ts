import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let texts: Table;
let labels: Table;
let scan: Scan;
let expected: Record<string, unknown>[];

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step);

/** Some keys are in both tables, some in one alone; a part is the same in both, another is deleted in one of them. */
beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = spiralAt(folder.path, { 'limits.partition_max_bytes': 8_000 });
  const project = await spiral.createProject('p');
  texts = await project.createTable('texts', { keySchema: { id: 'int32' } });
  labels = await project.createTable('labels', { keySchema: { id: 'int32' } });
  const text = (ids: readonly number[]) => ids.map((id) => ({ id, text: `text ${id}` }));
  const label = (ids: readonly number[]) => ids.map((id) => ({ id, label: id % 7 }));
  await texts.write(text(range(0, 300)), { batchRows: 32 });
  await labels.write(label(range(100, 400, 2)), { batchRows: 20 });
  await texts.write(text(range(1000, 1300)), { batchRows: 32 });
  await labels.write(label(range(1000, 1300)), { batchRows: 50 });
  await texts.deleteKeys(range(100, 120).map((id) => ({ id })));
  scan = await spiral.scan({ id: labels.col('id'), text: texts.col('text'), label: labels.col('label') });
  const hasText = (id: number): boolean => (id < 100 || id >= 120) && (id < 300 || id >= 1000);
  const hasLabel = (id: number): boolean => id >= 1000 || (id >= 100 && id < 400 && id % 2 === 0);
  expected = range(0, 1300)
    .filter((id) => hasText(id) || hasLabel(id))
    .map((id) => ({ id, text: hasText(id) ? `text ${id}` : null, label: hasLabel(id) ? id % 7 : null }));
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

async function take(loader: SpiralDataLoader, most = Number.POSITIVE_INFINITY): Promise<Record<string, unknown>[][]> {
  const batches: Record<string, unknown>[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader as AsyncIterable<RecordBatch>) if (batches.push(batchRows(batch)) === most) break;
  return batches;
}

const throughJson = (state: LoaderState): LoaderState => JSON.parse(JSON.stringify(state)) as LoaderState;
const byId = (rows: readonly Record<string, unknown>[]) =>
  [...rows].sort((a, b) => (a['id'] as number) - (b['id'] as number));

const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 200 })),
  shuffleChunkRows: fc.integer({ min: 5, max: 100 }),
  interleaveShards: fc.integer({ min: 1, max: 3 }),
  batchSize: fc.integer({ min: 3, max: 60 }),
});

describe('a loader over several tables', () => {
  it('knows its rows before the first read', async () => {
    expect(await scan.toRows()).toEqual(expected);
    const shards = await scan.shards();
    expect(shards.length).toBeGreaterThan(2);
    expect(shards.reduce((sum, { cardinality }) => sum + cardinality!, 0)).toBe(expected.length);
    expect((await scan.toDataLoader().plan()).rows).toBe(expected.length);
  });

  it('gives each row once, the same with and without a feeder, and resumes anywhere (laws 1, 3, 5)', () =>
    fc.assert(
      fc.asyncProperty(arbOptions, fc.boolean(), fc.boolean(), fc.nat(), async (options, feeder, isFiltered, pick) => {
        const own = isFiltered
          ? await spiral.scan(
              { id: labels.col('id'), text: texts.col('text'), label: labels.col('label') },
              { where: labels.col('label').gte(3).and(texts.col('text').isNotNull()) },
            )
          : scan;
        const rows = expected.filter(({ text, label }) => !isFiltered || (Number(label) >= 3 && text !== null));
        await using loader = own.toDataLoader({ ...options, feeder });
        const whole = await take(loader);
        expect(byId(whole.flat())).toEqual(rows);
        await using other = own.toDataLoader({ ...options, feeder: !feeder });
        expect(await take(other)).toEqual(whole);
        const cut = pick % (whole.length + 1);
        await using first = own.toDataLoader({ ...options, feeder: false });
        expect(await take(first, cut)).toEqual(whole.slice(0, cut));
        const reopened = await spiral.resumeScan(own.stateJson());
        await using resumed = reopened.resumeDataLoader(throughJson(first.stateDict()), { feeder });
        expect(await take(resumed)).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(6, 300), endOnFailure: true },
    ));

  it('is not resumed at another version of any of them, naming which (law 7)', async () => {
    await using loader = scan.toDataLoader({ feeder: false });
    await take(loader, 1);
    const state = throughJson(loader.stateDict());
    expect(JSON.stringify(state).length).toBeLessThan(1024);
    await texts.write([{ id: 0, text: 'new' }]);
    const newer = await spiral.scan({ id: labels.col('id'), text: texts.col('text'), label: labels.col('label') });
    await using refused = newer.resumeDataLoader(state, { feeder: false });
    const { code, message } = await refusal(take(refused, 1));
    expect(code).toBe('state_mismatch');
    expect(message).toContain('version2');
    const { message: both } = await refusal(async () => {
      await labels.write([{ id: 0, label: 5 }]);
      const newest = await spiral.scan({ id: labels.col('id'), text: texts.col('text'), label: labels.col('label') });
      await using loaded = newest.resumeDataLoader(state, { feeder: false });
      await take(loaded, 1);
    });
    expect(both).toMatch(/ version: .* version2: /);
  });
});
