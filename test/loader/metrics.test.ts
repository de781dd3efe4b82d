import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderMeter } from '../../src/loader/metrics.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { World } from '../../src/sharding/world.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { MemorySource, take } from './memory-source.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A provider whose metrics stay in memory, and what they are by now: by name, the unit and the only data point. */
function provider() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  const collected = async () => {
    await meters.forceFlush();
    const found = exporter
      .getMetrics()
      .at(-1)!
      .scopeMetrics.flatMap((scope) => scope.metrics);
    return Object.fromEntries(
      found.map(({ descriptor, dataPoints }) => {
        expect(dataPoints.length).toBe(1);
        return [descriptor.name, { unit: descriptor.unit, ...dataPoints[0]! }];
      }),
    );
  };
  return { meters, collected };
}

function loaderOf(options: DataLoaderOptions): SpiralDataLoader {
  const world = new World({ rank: 1, worldSize: 2 });
  const source = new MemorySource({ shards: [300, 300], batchRows: 50 });
  return new SpiralDataLoader(source, { batchSize: 70, world, ...options });
}

describe('OpenTelemetry metrics', () => {
  test('say of every batch what it was and what it took', async () => {
    const { meters, collected } = provider();
    await using loader = loaderOf({ metrics: meters.getMeter('mine'), infinite: true, maxSteps: 7 });
    await take(loader);
    await loader.peek().catch(() => {});
    const { rows, bytes, waitMs, stages } = loader.stats();
    const said = await collected();
    const attributes = { 'spiral.loader.rank': 1 };
    expect(said['spiral.loader.rows']).toMatchObject({ unit: '{row}', value: rows, attributes });
    expect(said['spiral.loader.batches']).toMatchObject({ unit: '{batch}', value: 7 });
    expect(said['spiral.loader.bytes']).toMatchObject({ unit: 'By', value: bytes });
    expect(said['spiral.loader.wait']).toMatchObject({
      unit: 'ms',
      value: { count: 7, sum: expect.closeTo(waitMs, 6) },
    });
    expect(said['spiral.loader.read']).toMatchObject({ unit: 'ms', value: { sum: expect.closeTo(stages.readMs, 6) } });
    expect(Object.keys(said).sort()).toEqual([
      'spiral.loader.batches',
      'spiral.loader.bytes',
      'spiral.loader.map',
      'spiral.loader.memory.held',
      'spiral.loader.queue.depth',
      'spiral.loader.read',
      'spiral.loader.rows',
      'spiral.loader.shuffle',
      'spiral.loader.transform',
      'spiral.loader.wait',
    ]);
    await meters.shutdown();
  });

  test('go to the meter provider of the process with `true`', async () => {
    const { meters, collected } = provider();
    metrics.setGlobalMeterProvider(meters);
    try {
      await using loader = loaderOf({ metrics: true });
      await take(loader);
      expect((await collected())['spiral.loader.rows']).toMatchObject({ value: 300 });
    } finally {
      metrics.disable();
      await meters.shutdown();
    }
  });

  test('take a flag or a meter', () => {
    expect(() => loaderOf({ metrics: {} as LoaderMeter })).toThrow(/metrics.*createCounter/);
  });

  test('say how to install the package where it is not', async () => {
    await using folder = await temporaryFolder();
    const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const modules = join(folder.path, 'node_modules');
    for (const name of Object.keys(dependencies)) {
      await mkdir(dirname(join(modules, name)), { recursive: true });
      await symlink(join(root, 'node_modules', name), join(modules, name));
    }
    await cp(join(root, 'dist'), join(modules, 'spiral-loader/dist'), { recursive: true });
    await cp(join(root, 'package.json'), join(modules, 'spiral-loader/package.json'));
    await writeFile(
      join(folder.path, 'train.mjs'),
      `import { Spiral } from 'spiral-loader';
      const spiral = new Spiral({ config: { 'warehouse.uri': './warehouse' } });
      const table = await (await spiral.createProject('demo')).createTable('rows', { keySchema: { id: 'int32' } });
      await table.write({ id: [1, 2, 3] });
      const loader = (await spiral.scan(table)).toDataLoader({ batchSize: 1, metrics: true });
      try { for await (const _ of loader) console.log('a batch'); } catch (error) { console.log(error.code, error.message); }
      await spiral.close();`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['train.mjs'], { cwd: folder.path });
    expect(stdout).toMatch(/^missing_peer .*npm install @opentelemetry\/api/);
  });
});
