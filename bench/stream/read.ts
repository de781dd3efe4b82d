import { StreamingDataset, type StreamingOptions } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass } from '../benchmark.js';
import { mdsFolder, mdsSampleBytes, mdsSamples } from '../data/mds-samples.js';
import { drained } from '../loader/drained.js';

const batchSize = 256;
const perSample = 'µs a sample';
/** A twentieth of what MosaicML takes: 14,000 samples a second, the better of what was measured of it on two cores. */
const atMost = 1e6 / (20 * 14_000);

/** Samples of an MDS data set that is on this machine. */
export function streamRead(name: string, order: StreamingOptions): Benchmark {
  const options = { local: mdsFolder, batchSize, ...order };
  return {
    name: `stream/${name}`,
    work: `200,000 samples of 2.27 KB in MDS shards of 8 MiB, all columns, batches of ${batchSize}${order.shuffle === true ? ', shuffled' : ''}.`,
    data: [mdsSamples],
    sides: [
      { name: 'spiral', open: async () => batches(options, true) },
      { name: 'spiral, in process', open: async () => batches(options, false) },
      { name: 'spiral, sample objects', open: async () => objects(options) },
    ],
    figures: [{ kind: 'value', of: 'spiral', value: perSample, atMost }],
  };
}

/** One data set for all passes, an epoch each. */
function batches(options: StreamingOptions, feeder: boolean): OpenSide {
  const dataset = new StreamingDataset(options);
  return {
    pass: () =>
      timed(() =>
        drained(dataset.batches({ feeder }), ({ numRows }) => ({ rows: numRows, bytes: numRows * mdsSampleBytes })),
      ),
    close: () => dataset.close(),
  };
}

function objects(options: StreamingOptions): OpenSide {
  const dataset = new StreamingDataset(options);
  return {
    pass: () =>
      timed(async () => {
        let rows = 0;
        for await (const { label } of dataset) if (label !== undefined) rows++;
        return { rows, bytes: rows * mdsSampleBytes };
      }),
    close: () => dataset.close(),
  };
}

async function timed(pass: () => Promise<Pass>): Promise<Pass> {
  const start = performance.now();
  const done = await pass();
  const us = (performance.now() - start) * 1000;
  return { ...done, values: { [perSample]: us / done.rows } };
}
