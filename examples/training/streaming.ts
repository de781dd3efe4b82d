/**
 * Trains a network on MNIST from a data set of MosaicML's format behind a web server, of which this machine keeps only a part at
 * a time.
 *
 *     npm run build && node --import tsx examples/training/streaming.ts
 *
 * Press Ctrl-C and run it again: it continues with the very next sample. Kill it: it continues from the last checkpoint. Either way
 * it ends with the same weights, bit for bit. `--help` lists the options.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StreamingDataset } from 'spiral-loader';
import {
  checkpointCallback,
  loadCheckpoint,
  pickBackend,
  restoreCheckpoint,
  saveCheckpoint,
  toTfDataset,
} from 'spiral-loader/tfjs';
import { buildNetwork, imageSpec } from './mnist/network.js';
import { ProgressLine } from './progress-line.js';
import { checkSameRun } from './run-options.js';
import { mdsFolder, serveFolder } from './streaming/data.js';
import { readOptions } from './streaming/run-options.js';

const options = readOptions(process.argv.slice(2));
const checkpointFile = join(options.dir, 'run.checkpoint');
mkdirSync(options.dir, { recursive: true });
if (options.fresh) rmSync(checkpointFile, { force: true });
const { tf, name: backend } = await pickBackend();

// 1. The data: MDS shards, some sixty of which the cache holds, behind a web server of their folder.
const sizeLimit = Math.ceil((options['cache-kb'] * 1024) / 64);
const trainFolder = await mdsFolder(options.dir, 'train', options.rows, sizeLimit);
const testFolder = await mdsFolder(options.dir, 't10k', options['test-rows'], sizeLimit);
const server = await serveFolder(trainFolder);

// 2. The model, with seeded weights.
const model = buildNetwork(tf, backend, options);

// 3. The stream: MosaicML's options. Its loader adds the feeder's thread and states of its own.
const cacheFolder = join(options.dir, 'cache');
const stream = new StreamingDataset({
  remote: server.uri,
  local: cacheFolder,
  cacheLimit: options['cache-kb'] * 1024,
  shuffle: true,
  shuffleSeed: options.seed,
  // Mixed at a time: few enough that their shards fit into the cache.
  shuffleBlockSize: 4096,
  batchSize: options['batch-size'],
});
const checkpoint = await loadCheckpoint(checkpointFile);
const loader =
  checkpoint === undefined ? stream.toDataLoader() : stream.resumeDataLoader(checkSameRun(checkpoint, options));
if (checkpoint !== undefined) await restoreCheckpoint(model, checkpoint, tf);
const columns = { xs: { image: imageSpec(model) }, ys: { label: { oneHot: 10 } }, model, tf };
const dataset = await toTfDataset(loader, columns);

// 4. Training. A checkpoint is one file: weights, optimizer and loader state of the same step.
const progress = new ProgressLine({ epochs: options.epochs, rows: options.rows, loader, dataset, backend });
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
await stream.close();
server.close();

// 5. The result, on a data set that is read where it is.
if (stopped) {
  console.log(`Stopped at step ${loader.step}. Run again to go on.`);
  process.exitCode = 130;
} else {
  const test = new StreamingDataset({ local: testFolder });
  const testData = await toTfDataset(test.toDataLoader({ batchSize: Math.min(1000, options['test-rows']) }), columns);
  const scores = await model.evaluateDataset(testData, {});
  const accuracy = (Array.isArray(scores) ? scores[1]! : scores).dataSync()[0]!;
  await testData.close();
  await test.close();
  const weights = createHash('sha256');
  for (const weight of model.getWeights()) weights.update(new Uint8Array(weight.dataSync().slice().buffer));
  console.log(`test accuracy: ${(accuracy * 100).toFixed(1)} %`);
  console.log(`data wait: ${(wait * 100).toFixed(1)} %`);
  const kept = readdirSync(cacheFolder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = kept.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  console.log(`cache: ${Math.ceil(bytes / 1024)} KiB; weights: ${weights.digest('hex').slice(0, 16)}`);
}
