/**
 * Leaves a loader with map workers in one of several ways and prints what is still open after it: run as a process of its
 * own, which must end by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Spiral, transformModule } from '../../src/index.js';
import { builtTransforms } from './built-transforms.js';

const [warehouse, state, how, feeder, mapWorkers] = process.argv.slice(2) as [string, string, string, string, string];
const before = process.getActiveResourcesInfo();
const spiral = new Spiral({ config: { 'warehouse.uri': warehouse } });
const scan = await spiral.resumeScan(state);
const abort = new AbortController();
const file = builtTransforms('faults');
const loader = scan.toDataLoader({
  batchSize: 20,
  shuffleBufferSize: 64,
  signal: abort.signal,
  feeder: feeder === 'true',
  mapWorkers: Number(mapWorkers),
  transformFn: transformModule(file, how === 'hang' ? 'hangAtThree' : 'tellPrepared', { setup: 'prepare' }),
});
let batches = 0;
try {
  if (how === 'abandon') {
    await loader[Symbol.asyncIterator]().next();
    batches++;
  } else {
    for await (const _ of loader) {
      if (++batches < 3 || how === 'end') continue;
      if (how === 'break' || how === 'hang') break;
      if (how === 'throw') throw new Error('enough');
      if (how === 'abort') abort.abort();
      if (how === 'close') await loader.close();
    }
  }
} catch (error) {
  const code = (error as { code?: string }).code ?? (error as Error).message;
  if (!['enough', 'cancelled', 'closed'].includes(code)) throw error;
}
await spiral.close();
await sleep(20);
const left = process.getActiveResourcesInfo().filter((resource) => {
  // What loads TypeScript and the output hold open is not the loader's.
  const at = before.indexOf(resource);
  if (at >= 0) before.splice(at, 1);
  return at < 0;
});
process.stdout.write(JSON.stringify({ left, batches }));
