/**
 * Trains a network on MNIST from a local table, and goes on where it stopped.
 *
 *     npm run build && node --import tsx examples/training/mnist.ts
 *
 * Press Ctrl-C and run it again: it continues with the very next sample. Kill it: it continues from the last checkpoint.
 * Either way it ends with the same weights, bit for bit. `--help` lists the options.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Spiral } from 'spiral-loader';
import {
  checkpointCallback,
  loadCheckpoint,
  pickBackend,
  restoreCheckpoint,
  saveCheckpoint,
  toTfDataset,
} from 'spiral-loader/tfjs';
import { IdsLog } from './mnist/ids-log.js';
import { buildNetwork, imageSpec } from './mnist/network.js';
import { readOptions } from './mnist/run-options.js';
import { mnistTable } from './mnist/table.js';
import { ProgressLine } from './progress-line.js';
import { checkSameRun } from './run-options.js';

const options = readOptions(process.argv.slice(2));
const checkpointFile = join(options.dir, 'run.checkpoint');
mkdirSync(options.dir, { recursive: true });
if (options.fresh) rmSync(checkpointFile, { force: true });

// The native TensorFlow where it is installed, else WebAssembly, else plain JavaScript.
const { tf, name: backend } = await pickBackend();

// 1. The data: two tables in a local warehouse, written once.
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(options.dir, 'warehouse') } });
const trainTable = await mnistTable(spiral, 'train', options.rows);
const testTable = await mnistTable(spiral, 't10k', options.testRows);

// 2. The model, with seeded weights: equal seeds give equal runs.
const model = buildNetwork(tf, backend, options);

// 3. The loader: every epoch in another order, each row once; from a checkpoint it goes on at its sample.
const checkpoint = await loadCheckpoint(checkpointFile);
const scan = await spiral.scan(trainTable.select('id', 'image', 'label'));
const idsLog = new IdsLog(options.idsLog);
// Chunks of 1,024 rows in a drawn order, eight of them read in turn, and windows of 8,192 rows shuffled.
const order = { shuffleChunkRows: 1024, interleaveShards: 8, shuffleBufferSize: 8192 };
const settings = {
  batchSize: options.batchSize,
  ...(options.idsLog === undefined ? {} : { transformFn: idsLog.remember }),
};
const loader =
  checkpoint === undefined
    ? scan.toDataLoader({ ...settings, ...order, seed: options.seed })
    : scan.resumeDataLoader(checkSameRun(checkpoint, options), settings);
if (checkpoint !== undefined) await restoreCheckpoint(model, checkpoint, tf);

// 4. The tensors that the model takes, made of each batch's columns.
const columns = { xs: { image: imageSpec(model) }, ys: { label: { oneHot: 10 } }, model, tf };
const dataset = await toTfDataset(loader, columns);

// 5. Training. A checkpoint is one file: weights, optimizer and loader state of the same step.
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
    new tf.CustomCallback({ onBatchEnd: () => idsLog.write(loader.step - 1) }),
    checkpointCallback(loader, {
      tf,
      every: options.checkpointEvery,
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
idsLog.close();

// 6. The result.
if (stopped) {
  console.log(`Stopped at step ${loader.step}. Run again to go on.`);
  process.exitCode = 130;
} else {
  if (options.weightsOut !== undefined) {
    const parts = model.getWeights().map((weight) => weight.dataSync());
    writeFileSync(
      options.weightsOut,
      Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))),
    );
  }
  const testLoader = (await spiral.scan(testTable.select('image', 'label'))).toDataLoader({
    batchSize: Math.min(1000, options.testRows),
    shuffleShards: false,
  });
  const testData = await toTfDataset(testLoader, columns);
  const scores = await model.evaluateDataset(testData, {});
  const accuracy = (Array.isArray(scores) ? scores[1]! : scores).dataSync()[0]!;
  await testData.close();
  console.log(`test accuracy: ${(accuracy * 100).toFixed(1)} %`);
  console.log(`data wait: ${(wait * 100).toFixed(1)} %`);
}
await spiral.close();
