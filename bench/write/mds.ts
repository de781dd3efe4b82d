import { rmSync } from 'node:fs';
import { MDSWriter } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale, Side } from '../benchmark.js';
import { dataFolder } from '../data/data-set.js';
import { wideBatches, wideRowBytes, wideRowCount } from '../data/wide-rows.js';

/** Samples that are in memory as objects, and written again and again. */
const sampleCount = 50_000;
/** Five times the 55,000 samples a second that MosaicML's writer is quoted at. */
const microsecondsMax = 3.63;

interface WideSample {
  readonly id: bigint;
  readonly vec: Float32Array;
  readonly text: string;
  readonly label: number;
}

const columns = { id: 'int', vec: 'ndarray:float32:16', text: 'str', label: 'int32' };

/** Writing MDS shards of samples that are in memory as objects, one `write` each. */
export const writeMds: Benchmark = {
  name: 'write/mds',
  work:
    '1 M samples of {id int, vec ndarray:float32:16, text str ~200 B, label int32}, 50,000 objects in memory taken in turn, one ' +
    'awaited write each, to shards of 64 MiB in files, each durable. MosaicML’s writer is quoted at 55,000 samples/s: 18.2 µs.',
  data: [],
  sides: [side('plain', {}), side('hashes sha1', { hashes: ['sha1'] }), side('zstd', { compression: 'zstd' })],
  figures: [{ kind: 'value', of: 'plain', value: 'µs a sample', atMost: microsecondsMax }],
};

function side(name: string, options: { hashes?: readonly string[]; compression?: string }): Side {
  return {
    name,
    open: async (scale: Scale): Promise<OpenSide> => {
      const samples = samplesInMemory();
      const rows = scale.rows(wideRowCount);
      const out = `${dataFolder}mds-${name.replaceAll(/\W+/g, '-')}`;
      return {
        pass: async () => {
          rmSync(out, { recursive: true, force: true });
          const start = performance.now();
          await using writer = new MDSWriter({ out, columns, ...options });
          for (let row = 0; row < rows; row++) await writer.write(samples[row % sampleCount]!);
          await writer.finish();
          const microseconds = (performance.now() - start) * 1000;
          return { rows, bytes: rows * wideRowBytes, values: { 'µs a sample': microseconds / rows } };
        },
        close: async () => rmSync(out, { recursive: true, force: true }),
      };
    },
  };
}

function samplesInMemory(): WideSample[] {
  const samples: WideSample[] = [];
  for (const batch of wideBatches(sampleCount, BigInt)) {
    const [ids, vecs, texts, labels] = ['id', 'vec', 'text', 'label'].map((name) => batch.getChild(name)!);
    for (let row = 0; row < batch.numRows; row++) {
      const vec = Float32Array.from(vecs!.get(row) as Iterable<number>);
      samples.push({ id: ids!.get(row), vec, text: texts!.get(row), label: labels!.get(row) });
    }
  }
  return samples;
}
