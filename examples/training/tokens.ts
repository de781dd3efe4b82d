/**
 * Trains a next-token model on Moby-Dick: map workers tokenize the text with GPT-2's vocabulary while this thread trains.
 *
 *     npm run build && node --import tsx examples/training/tokens.ts
 *
 * Press Ctrl-C and run it again: it continues with the very next sample, and with the same draws, whatever the number of
 * map workers. `--help` lists the options.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DataLoaderOptions, Spiral, transformModule } from 'spiral-loader';
import {
  checkpointCallback,
  loadCheckpoint,
  pickBackend,
  restoreCheckpoint,
  saveCheckpoint,
  toTfDataset,
} from 'spiral-loader/tfjs';
import { ProgressLine } from './progress-line.js';
import { checkSameRun } from './run-options.js';
import { buildNetwork } from './tokens/network.js';
import { readOptions } from './tokens/run-options.js';
import { classes, contextTokens, picks } from './tokens/shape.js';
import { bookTable } from './tokens/table.js';
import { Vocabulary } from './tokens/vocabulary.js';

const options = readOptions(process.argv.slice(2));
const checkpointFile = join(options.dir, 'run.checkpoint');
mkdirSync(options.dir, { recursive: true });
if (options.fresh) rmSync(checkpointFile, { force: true });
const { tf, name: backend } = await pickBackend();

// 1. The data: the paragraphs of the book, in two tables.
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(options.dir, 'warehouse') } });
const scan = await spiral.scan((await bookTable(spiral, 'train')).select('text'));
const testScan = await spiral.scan((await bookTable(spiral, 'test')).select('text'));
const paragraphs = (await scan.toTable()).numRows;

// 2. The model, with seeded weights.
const model = buildNetwork(tf, options);

// 3. The transform: an export of a file that the workers load, and what they call before their first batch.
const tokenize = transformModule(new URL('./tokens/tokenize.ts', import.meta.url), 'examples', {
  setup: 'loadVocabulary',
});

// 4. The loader: all paragraphs shuffled, 16 places drawn of each, others in every epoch.
const checkpoint = await loadCheckpoint(checkpointFile);
const settings: DataLoaderOptions = {
  batchSize: options['batch-size'],
  transformFn: tokenize,
  mapWorkers: options['map-workers'],
};
const loader =
  checkpoint === undefined
    ? scan.toDataLoader({ ...settings, shuffleBufferSize: 4096, interleaveShards: 4, seed: options.seed })
    : scan.resumeDataLoader(checkSameRun(checkpoint, options), settings);
if (checkpoint !== undefined) await restoreCheckpoint(model, checkpoint, tf);
const columns = {
  xs: { context: { dtype: 'float32', shape: [contextTokens * classes] } },
  ys: { next: { oneHot: classes } },
  model,
  tf,
} as const;
const dataset = await toTfDataset(loader, columns);

// 5. Training. A checkpoint is one file: weights, optimizer and loader state of the same step.
const progress = new ProgressLine({ epochs: options.epochs, rows: paragraphs * picks, loader, dataset, backend });
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
    // A signal that came while all was set up must not be lost: fit begins with stopTraining = false.
    new tf.CustomCallback({ onBatchBegin: () => void (model.stopTraining = stopped) }),
  ];
  await model.fitDataset(dataset, { epochs: options.epochs, initialEpoch: loader.epoch, verbose: 0, callbacks });
  progress.end();
}
const wait = dataset.stats().waitShare;
await dataset.close();

// 6. The result, on chapters that were not trained on.
if (stopped) {
  console.log(`Stopped at step ${loader.step}. Run again to go on.`);
  process.exitCode = 130;
} else {
  const testData = await toTfDataset(testScan.toDataLoader({ ...settings, shuffleShards: false }), columns);
  const scores = await model.evaluateDataset(testData, {});
  const [loss, accuracy] = (Array.isArray(scores) ? scores : [scores]).map((score) => score.dataSync()[0]!);
  await testData.close();
  console.log(
    `test loss: ${loss!.toFixed(3)} nats a token (by frequency alone: ${new Vocabulary().entropy().toFixed(3)})`,
  );
  console.log(`test accuracy: ${(accuracy! * 100).toFixed(1)} %`);
  console.log(`data wait: ${(wait * 100).toFixed(1)} %`);
}
await spiral.close();
