import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toTensors, toTfDataset } from '../../src/adapters/tfjs/index.js';
import {
  explainSettings,
  jsonCells,
  MDSWriter,
  type Scan,
  Spiral,
  SpiralDataLoader,
  StreamingDataset,
  se,
  simulationHtml,
  simulationSvg,
  type Table,
  Transaction,
  World,
} from '../../src/index.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

/** What somebody may pass where options belong. */
const others = [
  null,
  5,
  'x',
  [1],
  true,
  () => 1,
  Symbol('s'),
  Promise.resolve({}),
] as readonly unknown[] as readonly never[];

interface Given {
  readonly spiral: Spiral;
  readonly table: Table;
  readonly scan: Scan;
  readonly folder: string;
}

const rows = [{ id: 1n }];
const calls: Readonly<Record<string, (given: Given, options: never) => unknown>> = {
  'new Spiral': (_, options) => new Spiral(options),
  'new Spiral, config': (_, config) => new Spiral({ config }),
  'new Spiral, overrides': (_, overrides) => new Spiral({ overrides }),
  createProject: ({ spiral }, options) => spiral.createProject('other', options),
  createTable: ({ spiral }, options) => spiral.project('p').createTable('other', options),
  files: ({ spiral, folder }, options) => spiral.files(folder, options),
  scan: ({ spiral, table }, options) => spiral.scan(table, options),
  write: ({ table }, options) => table.write(rows, options),
  writeback: ({ table, scan }, options) => table.txn().writeback(scan, options),
  deleteKeys: ({ table }, options) => table.deleteKeys(rows, options),
  vacuum: ({ table }, options) => table.vacuum(options),
  history: ({ table }, options) => table.history(options),
  transaction: ({ table }, body) => table.transaction(typeof body === 'function' ? (null as never) : body),
  toRecordBatches: ({ scan }, options) => scan.toRecordBatches(options)[Symbol.asyncIterator]().next(),
  toTable: ({ scan }, options) => scan.toTable(options),
  toRows: ({ scan }, options) => scan.toRows(options),
  toIterableDataset: ({ scan }, options) => scan.toIterableDataset(options)[Symbol.asyncIterator]().next(),
  toParquet: ({ scan, folder }, options) => scan.toParquet(join(folder, 'a'), options),
  toArrowFile: ({ scan, folder }, options) => scan.toArrowFile(join(folder, 'a'), options),
  toJsonl: ({ scan, folder }, options) => scan.toJsonl(join(folder, 'a'), options),
  toMds: ({ scan, folder }, options) => scan.toMds(join(folder, 'a'), options),
  toDataLoader: ({ scan }, options) => scan.toDataLoader(options),
  toDistributedDataLoader: ({ scan }, options) => scan.toDistributedDataLoader(options),
  'new SpiralDataLoader': (_, source) => new SpiralDataLoader(source),
  'new SpiralDataLoader, not awaited': ({ scan }) => new SpiralDataLoader(Promise.resolve(scan) as never),
  'fromStateDict, options': ({ scan }, options) =>
    SpiralDataLoader.fromStateDict(scan, scan.toDataLoader().stateDict(), options),
  explainSettings: (_, options) => explainSettings(options),
  'new World': (_, options) => new World(options),
  'World.fromEnv': (_, environment) => World.fromEnv(environment),
  'new StreamingDataset': (_, options) => new StreamingDataset(options),
  'text.field': ({ table }, options) => table.col('x').text.field(options),
  'StreamingDataset.batches': ({ folder }, options) => new StreamingDataset({ local: folder }).batches(options).next(),
  'StreamingDataset.toDataLoader': ({ folder }, options) =>
    new StreamingDataset({ local: folder }).toDataLoader(options),
  'new MDSWriter': (_, options) => new MDSWriter(options),
  toTensors: async ({ scan }, options) => toTensors((await scan.toTable()).batches[0]!, options),
  toTfDataset: ({ scan }, options) => toTfDataset(scan.toDataLoader(), options),
};

/** Runs `work` on a table of one row, which it leaves as it is. */
async function withGiven(work: (given: Given) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'spiral-wrong-arguments-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await using spiral = spiralAt();
  const table = await newTable(spiral);
  await table.write([{ id: 1n, x: 1 }]);
  const given = { spiral, table, scan: await spiral.scan(table), folder };
  await work(given);
  expect(await given.scan.toRows()).toEqual([{ id: 1n, x: 1 }]);
}

describe('what is no object, where options belong', () => {
  it.each(Object.entries(calls))('is refused: %s', async (_, call) => {
    await withGiven(async (given) => {
      for (const other of others) {
        expect((await refusal(async () => call(given, other))).kind).toBe('invalid_argument');
      }
    });
  });
});

/** What somebody may pass where a signal belongs. */
const noSignals = [null, 5, 'x', {}, new AbortController(), () => 1] as readonly unknown[] as readonly never[];

describe('what is no signal', () => {
  it.each(
    Object.entries<(given: Given, signal: never) => unknown>({
      toDataLoader: ({ scan }, signal) => scan.toDataLoader({ signal }),
      toRecordBatches: ({ scan }, signal) => scan.toRecordBatches({ signal })[Symbol.asyncIterator]().next(),
      toTable: ({ scan }, signal) => scan.toTable({ signal }),
      toMds: ({ scan, folder }, signal) => scan.toMds(join(folder, 'a'), { signal }),
      write: ({ table }, signal) => table.write([{ id: 2n, x: 1 }], { signal }),
      writeback: ({ table, scan }, signal) => table.txn().writeback(scan, { signal }),
      deleteKeys: ({ table }, signal) => table.deleteKeys(rows, { signal }),
      files: ({ spiral, folder }, signal) => spiral.files(folder, { signal }),
      computeShards: ({ spiral, table }, signal) => spiral.computeShards(1, table, { signal }),
      'new MDSWriter': ({ folder }, signal) => new MDSWriter({ out: join(folder, 'a'), columns: { a: 'int' }, signal }),
    }),
  )('is refused: %s', async (_, call) => {
    await withGiven(async (given) => {
      for (const signal of noSignals) {
        const { kind, message } = await refusal(async () => call(given, signal));
        expect([kind, message]).toEqual(['invalid_argument', expect.stringContaining('to be an AbortSignal')]);
      }
    });
  });

  it('is told of its own, where it is that of a controller', async () => {
    await withGiven(async ({ scan }) => {
      const signal = new AbortController() as unknown as AbortSignal;
      expect((await refusal(async () => scan.toDataLoader({ signal }))).message).toMatch(/Give its `signal`\.$/);
    });
  });
});

describe('what is none of the things asked for', () => {
  it.each(
    Object.entries<(given: Given, wrong: never) => unknown>({
      'explainResume, world': ({ scan }, world) =>
        SpiralDataLoader.explainResume(scan, scan.toDataLoader().stateDict(), world),
      'toDataLoader, world': ({ scan }, world) => scan.toDataLoader({ world }),
      loadDumps: (_, uri) => Transaction.loadDumps(uri),
      jsonCells: (_, batch) => jsonCells(batch),
      'se.scalar, type': (_, type) => se.scalar(1, type === null ? ([] as never) : type),
      'se.aux, type': (_, type) => se.aux('a', type),
      'se.parse, of': (_, of) => se.parse('x > 1', of),
      simulationSvg: (_, simulation) => simulationSvg(simulation),
      simulationHtml: (_, simulation) => simulationHtml(simulation),
    }),
  )('is refused: %s', async (_, call) => {
    await withGiven(async (given) => {
      for (const wrong of [null, 5, {}, [1], () => 1] as readonly unknown[] as readonly never[]) {
        expect((await refusal(async () => call(given, wrong))).kind).toBe('invalid_argument');
      }
    });
  });
});
