import { transformModule } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass, Scale } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { wideRows } from '../data/wide-rows.js';
import { slope } from '../slope.js';
import type { Mapped } from './map-work.js';

const batchSize = 256;
/** What the loader may hold: windows, blocks that they are read from, batches on their way, results of the map worker. */
const memoryBytesMax = 64 * 2 ** 20;
const megabytesPerMinute = 'RSS MB per minute';
const held = 'most held MB';

/** Whether memory grows over epoch after epoch. */
export const memory: Benchmark = {
  name: 'loader/memory',
  work: 'Ten minutes (20 s in a quick run) of 283-byte rows without an end, windows of 10,000, in a map worker, as fast as they come, under a `memoryBytesMax` of 64 MiB.',
  data: [wideRows],
  sides: [{ name: 'spiral', open: loaderSide }],
  figures: [
    { kind: 'value', of: 'spiral', value: megabytesPerMinute, atMost: 1 },
    { kind: 'value', of: 'spiral', value: held, atMost: memoryBytesMax / 1e6 },
  ],
  once: true,
};

async function loaderSide(scale: Scale): Promise<OpenSide> {
  const spiral = warehouse('wide');
  const loader = (await scanOf(spiral, 'wide')).toDataLoader<Mapped>({
    batchSize,
    shuffleBufferSize: 10_000,
    infinite: true,
    memoryBytesMax,
    mapWorkers: 1,
    transformFn: transformModule(new URL('./map-work.ts', import.meta.url), 'passOn'),
  });
  const batches = loader[Symbol.asyncIterator]();
  const lasts = scale.quick ? { warmUpMs: 5000, ms: 20_000 } : { warmUpMs: 60_000, ms: 600_000 };
  return {
    pass: () => watched(batches, () => loader.stats().memory.peakBytes, lasts),
    close: async () => {
      await loader.close();
      await spiral.close();
    },
  };
}

/** Takes batches for `ms`, looking at the process's memory every half second once `warmUpMs` have gone by. */
async function watched(
  batches: AsyncIterator<Mapped>,
  peakBytes: () => number,
  { warmUpMs, ms }: { readonly warmUpMs: number; readonly ms: number },
): Promise<Pass> {
  const minutes: number[] = [];
  const megabytes: number[] = [];
  let [rows, bytes] = [0, 0];
  const start = performance.now();
  for (let lookMs = warmUpMs; ; ) {
    const { done, value } = await batches.next();
    if (done === true) throw new Error('Expected batches without an end.');
    rows += value.rows;
    bytes += value.values.byteLength;
    const now = performance.now() - start;
    if (now > ms) break;
    if (now < lookMs) continue;
    lookMs = now + 500;
    minutes.push(now / 60_000);
    megabytes.push(process.memoryUsage.rss() / 1e6);
  }
  const values = {
    [megabytesPerMinute]: slope(minutes, megabytes),
    [held]: peakBytes() / 1e6,
    'RSS MB, lowest': Math.min(...megabytes),
    'RSS MB, highest': Math.max(...megabytes),
  };
  return { rows, bytes, values };
}
