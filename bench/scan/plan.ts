import { Spiral, type Table } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale } from '../benchmark.js';

const fragments = 10_000;
const rowsPerFragment = 100;
const slowest = 'plan ms';

/** What a scan takes before its first read. */
export const scanPlan: Benchmark = {
  name: 'scan/plan',
  work: '1 M rows in 10,000 fragments, in memory: a scan of a version that was not planned before.',
  data: [],
  sides: [{ name: 'spiral', open: planner }],
  figures: [{ kind: 'value', of: 'spiral', value: slowest, atMost: 50 }],
};

async function planner(scale: Scale): Promise<OpenSide> {
  const spiral = new Spiral({ config: { 'warehouse.uri': 'memory://plan' } });
  const table = await (await spiral.createProject('bench')).createTable('plan', { keySchema: { id: 'int64' } });
  let next = 0;
  for (; next < scale.rows(fragments); next++) await writeFragment(table, next);
  return {
    pass: async () => {
      await writeFragment(table, next++);
      const start = performance.now();
      const scan = await spiral.scan(table);
      const ms = performance.now() - start;
      const shards = await scan.shards();
      if (shards.length !== next) throw new Error(`Expected ${next} shards, found ${shards.length}.`);
      return { rows: shards.length * rowsPerFragment, bytes: 0, values: { [slowest]: ms } };
    },
    close: () => spiral.close(),
  };
}

async function writeFragment(table: Table, number: number): Promise<void> {
  const ids = Array.from({ length: rowsPerFragment }, (_, row) => BigInt(number * rowsPerFragment + row));
  await table.write({ id: BigInt64Array.from(ids), value: Float64Array.from(ids, Number) });
}
