/**
 * Trains a network on MNIST straight from a folder of Parquet files, which nothing imports: a filter holds every tenth image
 * out, and map workers move the others about while this thread trains.
 *
 *     npm run build && node --import tsx examples/training/parquet.ts
 *
 * Press Ctrl-C and run it again: it continues with the very next sample, moved as it would have been. Change one of the
 * files in between and it refuses to. `--help` lists the options.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DataLoaderOptions, type Scan, Spiral, transformModule } from 'spiral-loader';
import {
  checkpointCallback,
  loadCheckpoint,
  pickBackend,
  restoreCheckpoint,
  saveCheckpoint,
  toTfDataset,
} from 'spiral-loader/tfjs';
import { buildNetwork, imageSpec } from './mnist/network.js';
import { parquetFolder } from './parquet/data.js';
import { readOptions } from './parquet/run-options.js';
import { ProgressLine } from './progress-line.js';
import { checkSameRun } from './run-options.js';

const options = readOptions(process.argv.slice(2));
const checkpointFile = join(options.dir, 'run.checkpoint');
mkdirSync(options.dir, { recursive: true });
if (options.fresh) rmSync(checkpointFile, { force: true });
const { tf, name: backend } = await pickBackend();

// 1. The data: every Parquet file in a folder, as one table. Each is pinned by its size and time of change.
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(options.dir, 'warehouse') } });
const trainFiles = await spiral.files(await parquetFolder(options.dir, 'train', options.rows));
const testFiles = await spiral.files(await parquetFolder(options.dir, 't10k', options['test-rows']));

// 2. The model, with seeded weights.
const model = buildNetwork(tf, backend, options);

// 3. The transform: an export of a file that the workers load.
const augment = transformModule(new URL('./parquet/augment.ts', import.meta.url), 'augment');

// 4. The loader: row groups in a drawn order, four of them read in turn, and windows of 8,192 rows shuffled.
const checkpoint = await loadCheckpoint(checkpointFile);
const images = trainFiles.select('image', 'label');
const heldOut = trainFiles.col('row').modulo(10).eq(0);
const scan = await spiral.scan(images, { where: heldOut.not() });
const shards = await spiral.computeShards(8192, images, { where: heldOut.not() });
const rows = shards.reduce((sum, shard) => sum + shard.cardinality!, 0);
const settings: DataLoaderOptions = {
  batchSize: options['batch-size'],
  transformFn: augment,
  mapWorkers: options['map-workers'],
};
const loader =
  checkpoint === undefined
    ? scan.toDataLoader({ ...settings, shuffleBufferSize: 8192, interleaveShards: 4, seed: options.seed })
    : scan.resumeDataLoader(checkSameRun(checkpoint, options), settings);
if (checkpoint !== undefined) await restoreCheckpoint(model, checkpoint, tf);
const columns = { xs: { image: imageSpec(model) }, ys: { label: { oneHot: 10 } }, model, tf };
const dataset = await toTfDataset(loader, columns);

// 5. Training. A checkpoint is one file: weights, optimizer and loader state of the same step.
const progress = new ProgressLine({ epochs: options.epochs, rows, loader, dataset, backend });
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
  model.stopTraining = true;
});
if (loader.epoch >= options.epochs) {
  console.log(
    `Training is complete (${options.epochs} epochs). Start over with --fresh, or train on with more --epochs.`,
  );
} else {
  if (checkpoint !== undefined) console.log(`Going on at step ${loader.step}, in epoch ${loader.epoch + 1}.`);
  const callbacks = [
    checkpointCallback(loader, {
      tf,
      every: options['checkpoint-every'],
      save: ({ loader }) => saveCheckpoint(checkpointFile, { model, loader, extra: options.identity }),
    }),
    progress.callback(tf),
  ];
  // A signal that came while all was set up must not be lost: fit begins with stopTraining = false.
  callbacks.push(new tf.CustomCallback({ onBatchBegin: () => void (model.stopTraining = stopped) }));
  await model.fitDataset(dataset, { epochs: options.epochs, initialEpoch: loader.epoch, verbose: 0, callbacks });
  progress.end();
}
const wait = dataset.stats().waitShare;
await dataset.close();

// 6. The result, on images that are not moved: a transform that only brings them into the form that the model takes.
async function accuracy(scan: Scan): Promise<string> {
  const transformFn = transformModule(new URL('./parquet/augment.ts', import.meta.url), 'still');
  const data = await toTfDataset(scan.toDataLoader({ batchSize: 100, shuffleShards: false, transformFn }), columns);
  const scores = await model.evaluateDataset(data, {});
  await data.close();
  return `${((Array.isArray(scores) ? scores[1]! : scores).dataSync()[0]! * 100).toFixed(1)} %`;
}
if (stopped) {
  console.log(`Stopped at step ${loader.step}. Run again to go on.`);
  process.exitCode = 130;
} else {
  console.log(`accuracy on images held out: ${await accuracy(await spiral.scan(images, { where: heldOut }))}`);
  console.log(`test accuracy: ${await accuracy(await spiral.scan(testFiles.select('image', 'label')))}`);
  console.log(`data wait: ${(wait * 100).toFixed(1)} %`);
}
await spiral.close();
