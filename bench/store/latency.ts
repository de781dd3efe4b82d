import { fork } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale } from '../benchmark.js';
import { dataFolder } from '../data/data-set.js';
import { wideParquet, wideRows } from '../data/wide-rows.js';
import { blockingPass } from '../loader/blocking-consumer.js';
import { takeWide } from '../loader/take-wide.js';
import { typescriptHooks } from '../typescript.js';

const latencyMs = 50;
const bytesPerSecond = 200e6;
const stepMs = 10;
const wait = 'wait %';

/** Whether a loader hides the latency of a store: the bandwidth is several times what the steps need. */
export const storeLatency: Benchmark = {
  name: 'store/latency',
  work:
    `A consumer that blocks the event loop ${stepMs} ms a step over a file of a web server with ${latencyMs} ms latency and 200 MB/s, ` +
    'not cached; 283-byte rows, batches of 256, windows of 10,000, 50 warm-up steps.',
  data: [wideRows],
  sides: [{ name: 'spiral', open: latencySide }],
  figures: [{ kind: 'value', of: 'spiral', value: wait, atMost: 2 }],
};

async function latencySide(scale: Scale): Promise<OpenSide> {
  const server = fork(
    fileURLToPath(new URL('../stream/slow-server.ts', import.meta.url)),
    [dataFolder, String(bytesPerSecond), String(latencyMs)],
    { execArgv: ['--import', typescriptHooks] },
  );
  const [port] = (await once(server, 'message')) as [number];
  const spiral = new Spiral({ config: { 'warehouse.uri': 'memory://latency', 'fragments_cache.enabled': false } });
  const files = await spiral.files(`http://127.0.0.1:${port}/${basename(wideParquet)}`);
  const loader = (await spiral.scan(files)).toDataLoader({ batchSize: 256, shuffleBufferSize: 10_000, infinite: true });
  const batches = loader[Symbol.asyncIterator]();
  const steps = scale.quick ? 100 : 600;
  return {
    pass: async () => {
      const pass = await blockingPass(batches, takeWide, { stepMs, steps });
      const waitedMs = pass.nextMs!.reduce((sum, ms) => sum + ms, 0);
      return { ...pass, values: { ...pass.values, [wait]: (100 * waitedMs) / (waitedMs + steps * stepMs) } };
    },
    close: async () => {
      await loader.close();
      await spiral.close();
      server.disconnect();
      await once(server, 'exit');
    },
  };
}
