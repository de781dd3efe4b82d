import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StreamingDataset } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass } from '../benchmark.js';
import { dataFolder } from '../data/data-set.js';
import { manyMdsFolder, manyMdsSamples, mdsSampleBytes } from '../data/mds-samples.js';
import { drained } from '../loader/drained.js';
import { typescriptHooks } from '../typescript.js';

const bytesPerSecond = 200e6;
const latencyMs = 20;
const linkTime = 'time by that of the link alone';
const fetched = 'bytes fetched by those there are';

/** Samples of an MDS data set behind a slow link, with a cache that holds half of it and is empty at first. */
export const streamCold: Benchmark = {
  name: 'stream/cold',
  work:
    '600,000 samples of 2.27 KB in MDS shards of 8 MiB, shuffled, from a web server with 20 ms latency and 200 MB/s; a new cache ' +
    'for half of them each pass.',
  data: [manyMdsSamples],
  sides: [{ name: 'spiral', open: coldSide }],
  figures: [
    { kind: 'value', of: 'spiral', value: linkTime, atMost: 1 / 0.8 },
    { kind: 'value', of: 'spiral', value: fetched, atMost: 1.01 },
  ],
};

async function coldSide(): Promise<OpenSide> {
  const bytes = readdirSync(manyMdsFolder).reduce((sum, name) => sum + statSync(`${manyMdsFolder}/${name}`).size, 0);
  const server = fork(
    fileURLToPath(new URL('slow-server.ts', import.meta.url)),
    [manyMdsFolder, String(bytesPerSecond), String(latencyMs)],
    { execArgv: ['--import', typescriptHooks] },
  );
  const [port] = (await once(server, 'message')) as [number];
  let passes = 0;
  const cache = `${dataFolder}cold-cache-`;
  return {
    pass: () => coldPass(server, `http://127.0.0.1:${port}`, `${cache}${passes++}`, bytes),
    close: async () => {
      server.disconnect();
      await once(server, 'exit');
    },
  };
}

async function coldPass(server: ChildProcess, remote: string, local: string, bytes: number): Promise<Pass> {
  const cacheLimit = Math.ceil(bytes / 2);
  const start = performance.now();
  const dataset = new StreamingDataset({ remote, local, cacheLimit, shuffle: true, batchSize: 256 });
  const done = await drained(dataset.batches(), ({ numRows }) => ({ rows: numRows, bytes: numRows * mdsSampleBytes }));
  const seconds = (performance.now() - start) / 1000;
  await dataset.close();
  rmSync(local, { recursive: true, force: true });
  server.send('sent');
  const [sent] = (await once(server, 'message')) as [number];
  const values = { [linkTime]: seconds / (bytes / bytesPerSecond), [fetched]: sent / bytes };
  return { ...done, values };
}
