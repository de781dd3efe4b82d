import { MDSWriter } from 'spiral-loader';
import type { Scale } from '../benchmark.js';
import { type DataSet, dataFolder } from './data-set.js';
import { numbersFrom } from './numbers.js';

/** {id int, tokens uint16[1024], label int32, text of 153 to 253 bytes} in shards of 8 MiB: 2.27 KB a sample. */
export const mdsSamples: DataSet = { name: 'mds', make: (scale) => write(scale, mdsFolder, mdsSampleCount) };

/** Three times as many: a slow link carries them in seven seconds, beside which the start of a thread is little. */
export const manyMdsSamples: DataSet = {
  name: 'mds-many',
  make: (scale) => write(scale, manyMdsFolder, 3 * mdsSampleCount),
};

/** Samples of the whole data set, and bytes of one on average, of values alone. */
export const mdsSampleCount = 200_000;
export const mdsSampleBytes = 2263;
const shardBytes = 8 * 1024 * 1024;

export const mdsFolder: string = `${dataFolder}mds`;
export const manyMdsFolder: string = `${dataFolder}mds-many`;

async function write(scale: Scale, out: string, count: number): Promise<void> {
  // As many shards in a quick run, as an order reads several at a time.
  const columns = { id: 'int', tokens: 'ndarray:uint16:1024', label: 'int32', text: 'str' };
  await using writer = new MDSWriter({ out, columns, hashes: ['xxh64'], sizeLimit: scale.rows(shardBytes) });
  const next = numbersFrom(7);
  const letters = Array.from({ length: 4096 }, () => String.fromCharCode(97 + (next() % 26))).join('');
  for (let id = 0; id < scale.rows(count); id++) {
    const start = next() % 3800;
    const text = letters.slice(start, start + 153 + (next() % 101));
    await writer.write({ id, tokens: tokensOf(next), label: next() % 1000, text });
  }
  await writer.finish();
}

function tokensOf(next: () => number): Uint16Array {
  const words = new Uint32Array(512);
  for (let at = 0; at < words.length; at++) words[at] = next();
  return new Uint16Array(words.buffer);
}
