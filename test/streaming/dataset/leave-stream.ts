/**
 * Leaves streaming data sets in the ways that it is given, one after the other, and prints what is still open after each: run
 * as a process of its own, which must end by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamingDataset } from '../../../src/index.js';

const [local, ...ways] = process.argv.slice(2) as [string, ...string[]];

async function leave(how: string): Promise<{ left: string[]; end: string }> {
  const before = process.getActiveResourcesInfo();
  const dataset = new StreamingDataset({
    local: how === 'missing' ? `${local}-missing` : local,
    world: { rank: 0, worldSize: 1 },
  });
  const loader = dataset.toDataLoader({ batchSize: 8 });
  let batches = 0;
  let end = '';
  try {
    if (how === 'opening') {
      const first = loader[Symbol.asyncIterator]().next();
      await Promise.all([loader.close(), first]);
    }
    if (how === 'abandon') await loader[Symbol.asyncIterator]().next();
    else {
      for await (const _ of loader) {
        if (++batches < 3 || how === 'end') continue;
        if (how === 'break') break;
        if (how === 'close') await loader.close();
      }
    }
  } catch (error) {
    end = (error as { code: string }).code;
  }
  if (how !== 'abandon') await dataset.close();
  await sleep(20);
  const left = process.getActiveResourcesInfo().filter((resource) => {
    // What tsx and the output hold open is not the loader's.
    const at = before.indexOf(resource);
    if (at >= 0) before.splice(at, 1);
    return at < 0;
  });
  return { left, end };
}

const told = [];
for (const how of ways) told.push(await leave(how));
process.stdout.write(JSON.stringify(told));
