/**
 * Forked by bounded-memory.test.ts: writes the files of a folder into a table or another file, and tells the most memory that
 * the process ever took. By hand: `node --import tsx test/client/export-much.ts <folder of files> <folder> <how>`.
 */
import { join } from 'node:path';
import { Spiral } from '../../src/client/spiral.js';

const [source, target, how] = process.argv.slice(2) as [string, string, string];
await using spiral = new Spiral({ config: { 'warehouse.uri': join(target, 'warehouse') } });
const files = await spiral.files(source);
const scan = await spiral.scan(files);
const out = join(target, `out.${how}`);
if (how === 'parquet') await scan.toParquet(out);
else if (how === 'arrow') await scan.toArrowFile(out);
else if (how === 'jsonl') await scan.toJsonl(out);
else {
  const table = await (await spiral.createProject('p')).createTable('t', { keySchema: { id: 'int64' } });
  await table.write(scan);
}
const told = { rows: scan.metrics.rows, bytes: process.resourceUsage().maxRSS * 1024 };
if (process.send === undefined) process.stdout.write(`${JSON.stringify(told)}\n`);
else process.send(told);
