import { Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale } from '../benchmark.js';

const commits = 100_000;
/** So that the newest version is not one of 100,000 files, which nobody would leave so. */
const commitsPerCompaction = 1000;
const slowest = 'open ms';

/** What the first look at a table takes that has been written to very often. */
export const commitOpen: Benchmark = {
  name: 'commit/open',
  work: 'A table with 100,000 commits of one row, compacted every 1,000, in memory: a new client opens it and plans a scan.',
  data: [],
  sides: [{ name: 'spiral', open: opener }],
  figures: [{ kind: 'value', of: 'spiral', value: slowest, atMost: 100 }],
};

async function opener(scale: Scale): Promise<OpenSide> {
  const config = { 'warehouse.uri': 'memory://commits' };
  const writer = new Spiral({ config });
  const { id } = await (await writer.createProject('bench')).createTable('commits', { keySchema: { id: 'int64' } });
  const table = await writer.table(id);
  const written = scale.rows(commits);
  for (let next = 0; next < written; next++) {
    await table.write([{ id: BigInt(next), value: next }]);
    if (next % commitsPerCompaction === commitsPerCompaction - 1) await table.compact();
  }
  return {
    pass: async () => {
      await using client = new Spiral({ config });
      const start = performance.now();
      const scan = await client.scan(await client.table(id));
      const ms = performance.now() - start;
      const rows = (await scan.shards()).reduce((sum, { cardinality }) => sum + (cardinality ?? 0), 0);
      if (rows !== written) throw new Error(`Expected ${written} rows, found ${rows}.`);
      return { rows: 1, bytes: 0, values: { [slowest]: ms } };
    },
    close: () => writer.close(),
  };
}
