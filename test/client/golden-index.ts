import type { Project } from '../../src/client/project.js';
import type { Spiral } from '../../src/client/spiral.js';

/** Indexes as a release left them: by name, when they are of, and the keys of each range. */
export type GoldenIndexes = Readonly<Record<string, { readonly asof: number; readonly ranges: readonly string[][] }>>;

export const goldenIndexNames: readonly string[] = ['all', 'tall'];

/** Writes a table in several overlapping parts, with an index of all of it at its newest version and one of some before that. */
export async function tellGoldenIndexes(spiral: Spiral): Promise<GoldenIndexes> {
  const project = await spiral.createProject('golden');
  const table = await project.createTable('trees', { keySchema: { wood: 'utf8', number: 'int32' } });
  const rows = (wood: string, from: number, to: number): object[] =>
    Array.from({ length: to - from }, (_, at) => ({ wood, number: from + at, height: ((from + at) * 7) % 40 }));
  await table.write(rows('ash', 0, 30), { batchRows: 8 });
  await table.write(rows('oak', 0, 12), { batchRows: 8 });
  await table.write(rows('ash', 20, 45), { batchRows: 8 });
  const tall = await project.createKeySpaceIndex('tall', 5, table, { where: table.col('height').gte(20) });
  await tall.sync();
  await table.deleteKeys({ wood: ['ash', 'oak'], number: [3, 4] });
  await table.write(rows('yew', 0, 3));
  const all = await project.createKeySpaceIndex('all', 8, table.select('height'));
  await all.sync();
  return readGoldenIndexes(project);
}

/** What the indexes of `project` give. */
export async function readGoldenIndexes(project: Project): Promise<GoldenIndexes> {
  const found: Record<string, { asof: number; ranges: string[][] }> = {};
  for (const name of goldenIndexNames) {
    const index = await project.keySpaceIndex(name);
    const table = await project.table('trees');
    const scan = await index.scan(table);
    const ranges: string[][] = [];
    for (const shard of await index.shards()) {
      const rows = await scan.toRows({ shards: [shard] });
      if (rows.length !== shard.cardinality) throw new Error(`${rows.length} rows in a range of ${shard.cardinality}.`);
      ranges.push(rows.map((row) => `${row['wood']} ${row['number']}`));
    }
    found[name] = { asof: index.asof!, ranges };
  }
  return found;
}
