/**
 * Leaves loaders over a store in memory in several ways, one after the other, and prints what is still open after each:
 * run as a process of its own, which must end by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Spiral } from '../../src/index.js';

const ways = process.argv.slice(2);
const spiral = new Spiral({ config: { 'warehouse.uri': 'memory://leave' } });
const table = await (await spiral.createProject('p')).createTable('rows', { keySchema: { id: 'int32' } });
await table.write(
  Array.from({ length: 400 }, (_, id) => ({ id })),
  { batchRows: 64 },
);
const scan = await spiral.scan(table);
const told: { left: string[]; batches: number }[] = [];
for (const how of ways) {
  const before = process.getActiveResourcesInfo();
  const batches = await leave(how);
  await sleep(20);
  const left = process.getActiveResourcesInfo().filter((resource) => {
    const at = before.indexOf(resource);
    if (at >= 0) before.splice(at, 1);
    return at < 0;
  });
  told.push({ left, batches });
}
process.stdout.write(JSON.stringify(told));

async function leave(how: string): Promise<number> {
  const abort = new AbortController();
  const loader = scan.toDataLoader({ batchSize: 8, shuffleBufferSize: 64, signal: abort.signal });
  let batches = 0;
  if (how === 'abandon') {
    await loader[Symbol.asyncIterator]().next();
    return 1;
  }
  try {
    for await (const _ of loader) {
      if (++batches < 5 || how === 'end') continue;
      if (how === 'break') break;
      if (how === 'throw') throw new Error('enough');
      if (how === 'abort') abort.abort();
      if (how === 'close') await loader.close();
    }
  } catch (error) {
    const code = (error as { code?: string }).code ?? (error as Error).message;
    if (!['enough', 'cancelled', 'closed'].includes(code)) throw error;
  }
  return batches;
}
