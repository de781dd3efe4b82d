import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toTensors, toTfDataset } from '../../src/adapters/tfjs/index.js';
import {
  MDSWriter,
  type Scan,
  Spiral,
  SpiralDataLoader,
  StreamingDataset,
  type Table,
  World,
} from '../../src/index.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

/** What somebody may pass where options belong. */
const others = [null, 5, 'x', [1], true, () => 1, Symbol('s')] as readonly unknown[] as readonly never[];

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
  toDataLoader: ({ scan }, options) => scan.toDataLoader(options),
  'new SpiralDataLoader': (_, source) => new SpiralDataLoader(source),
  'new SpiralDataLoader, not awaited': ({ scan }) => new SpiralDataLoader(Promise.resolve(scan) as never),
  'fromStateDict, options': ({ scan }, options) =>
    SpiralDataLoader.fromStateDict(scan, scan.toDataLoader().stateDict(), options),
  'new World': (_, options) => new World(options),
  'World.fromEnv': (_, environment) => World.fromEnv(environment),
  'new StreamingDataset': (_, options) => new StreamingDataset(options),
  'new MDSWriter': (_, options) => new MDSWriter(options),
  toTensors: async ({ scan }, options) => toTensors((await scan.toTable()).batches[0]!, options),
  toTfDataset: ({ scan }, options) => toTfDataset(scan.toDataLoader(), options),
};

describe('what is no object, where options belong', () => {
  it.each(Object.entries(calls))('is refused: %s', async (_, call) => {
    const folder = await mkdtemp(join(tmpdir(), 'spiral-no-object-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n, x: 1 }]);
    const given = { spiral, table, scan: await spiral.scan(table), folder };
    for (const other of others) {
      expect((await refusal(async () => call(given, other))).kind).toBe('invalid_argument');
    }
    expect(await given.scan.toRows()).toEqual([{ id: 1n, x: 1 }]);
  });
});
