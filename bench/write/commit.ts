import { rmSync } from 'node:fs';
import { Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale, Side } from '../benchmark.js';
import { dataFolder } from '../data/data-set.js';

/** Commits of one pass, all writers together. */
const commitCount = 1000;

/** Commits of several writers to one table. */
export const commit: Benchmark = {
  name: 'commit',
  work: '1,000 writes of one row, a commit each, to one table in files; every writer with a client of its own. None may be lost.',
  data: [],
  sides: [writers(1), writers(8), writers(64)],
  figures: [{ kind: 'ratio', of: '64 writers', against: '1 writer', atLeast: 0.3 }],
};

function writers(count: number): Side {
  const name = count === 1 ? '1 writer' : `${count} writers`;
  return {
    name,
    open: async (scale: Scale): Promise<OpenSide> => {
      const commits = scale.rows(commitCount);
      const folder = `${dataFolder}commit-${count}`;
      return {
        pass: async () => {
          rmSync(folder, { recursive: true, force: true });
          await write(folder, count, commits);
          return { rows: commits, bytes: 0 };
        },
        close: async () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  };
}

async function write(folder: string, count: number, commits: number): Promise<void> {
  await using first = new Spiral({ config: { 'warehouse.uri': folder } });
  const { id } = await (await first.createProject('bench')).createTable('t', { keySchema: { id: 'int64' } });
  let next = 0;
  await Promise.all(
    Array.from({ length: count }, async () => {
      await using client = new Spiral({ config: { 'warehouse.uri': folder } });
      const table = await client.table(id);
      while (next < commits) await table.write([{ id: BigInt(next++), value: 1 }]);
    }),
  );
  const found = (await (await first.scan(await first.table(id))).toTable()).numRows;
  if (found !== commits) throw new Error(`Expected ${commits} commits, found ${found}: some were lost.`);
}
