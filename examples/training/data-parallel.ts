/**
 * Trains one network in several processes, the ranks of a world, each on its own part of one table.
 *
 *     npm run build && node --import tsx examples/training/data-parallel.ts --ranks 3 --kill 1@50
 *
 * After each step the ranks' weights are averaged. One file, written now and then, holds the weights and the loader states
 * of all ranks. When a rank is lost, or you press Ctrl-C and come back with another `--ranks`, training goes on from that
 * file in a world of another size, and every image still comes exactly once an epoch. `--help` lists the options.
 */
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type LoaderState, Spiral } from 'spiral-loader';
import { loadCheckpoint, pickBackend, restoreCheckpoint, saveCheckpoint, toTfDataset } from 'spiral-loader/tfjs';
import { averaged, type StepReport } from './data-parallel/messages.js';
import { buildModel, setWeights, weightsOf } from './data-parallel/model.js';
import { RankLost, RankProcesses } from './data-parallel/rank-processes.js';
import { readOptions } from './data-parallel/run-options.js';
import { imageSpec } from './mnist/network.js';
import { mnistTable } from './mnist/table.js';

const options = readOptions(process.argv.slice(2));
const checkpointFile = join(options.dir, 'run.checkpoint');
mkdirSync(options.dir, { recursive: true });
if (options.fresh) rmSync(checkpointFile, { force: true });

let stopped = false;
process.on('SIGINT', () => {
  stopped = true;
});

// 1. The data and the model; the ranks open the same table.
const { tf, name: backend } = await pickBackend();
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(options.dir, 'warehouse') } });
await mnistTable(spiral, 'train', options.rows);
const testTable = await mnistTable(spiral, 't10k', options.testRows);
const model = buildModel(tf, backend, options);
const firstWeights = weightsOf(model);

// 2. Training, in one world after the other until it is through.
let kill = options.kill;
for (let worldSize = options.ranks; ; worldSize = options.ranksAfter) {
  try {
    await train(worldSize);
    break;
  } catch (error) {
    if (!(error instanceof RankLost)) throw error;
    console.log(`${error.message} Going on with ${options.ranksAfter} from the last checkpoint.`);
  }
}

// 3. The result.
if (stopped) {
  console.log('Stopped. Run again to go on, with as many ranks as you like.');
  process.exitCode = 130;
} else {
  const scan = await spiral.scan(testTable.select('image', 'label'));
  const testLoader = scan.toDataLoader({ batchSize: Math.min(500, options.testRows), shuffleShards: false });
  const columns = { xs: { image: imageSpec(model) }, ys: { label: { oneHot: 10 } }, model, tf };
  const testData = await toTfDataset(testLoader, columns);
  const scores = await model.evaluateDataset(testData, {});
  const accuracy = (Array.isArray(scores) ? scores[1]! : scores).dataSync()[0]!;
  await testData.close();
  console.log(`test accuracy: ${(accuracy * 100).toFixed(1)} %`);
}
await spiral.close();

/** Trains from the last checkpoint on to the end, or until it is stopped. @throws RankLost */
async function train(worldSize: number): Promise<void> {
  const checkpoint = await loadCheckpoint(checkpointFile);
  const saved = checkpoint?.loader as readonly LoaderState[] | undefined;
  if (checkpoint === undefined) setWeights(tf, model, firstWeights);
  else await restoreCheckpoint(model, checkpoint, tf);
  let weights = weightsOf(model);
  let step = (checkpoint?.extra as { step: number } | undefined)?.step ?? 0;
  let epoch = Math.min(...(saved ?? [{ epoch: 0 }]).map((state) => state.epoch));
  if (saved !== undefined) console.log(`Going on at step ${step} with ${worldSize} ranks, before ${saved.length}.`);
  const { dir, epochs, batchSize, hidden, seed } = options;
  const table = `mnist.train_${options.rows}`;
  await using ranks = new RankProcesses(worldSize, {
    dir,
    table,
    epochs,
    epoch,
    batchSize,
    hidden,
    seed,
    weights,
    states: saved,
  });
  const all = Array.from({ length: worldSize }, (_, rank) => rank);
  const states: LoaderState[] = [];
  for (let running = all; epoch < epochs; ) {
    const reports = await ranks.gather(running);
    for (const [at, report] of reports.entries()) states[running[at]!] = report.state;
    const steps = reports.filter((report) => report.kind === 'step');
    // Ranks whose part of the epoch is over wait for the others.
    running = running.filter((_, at) => reports[at]!.kind === 'step');
    if (steps.length > 0) {
      weights = averaged(steps.map((one) => ({ weights: one.weights, rows: one.ids.length })));
      setWeights(tf, model, weights);
      logIds(step++, steps);
      if (step % options.checkpointEvery === 0 || stopped) await save(step, states);
      if (step % options.checkpointEvery === 0) console.log(`step ${step}, loss ${meanLoss(steps).toFixed(3)}`);
      if (stopped) return;
      if (kill !== undefined && step >= kill.step) {
        ranks.kill(kill.rank);
        kill = undefined;
      }
    } else {
      epoch++;
      running = all;
      if (epoch === epochs) await save(step, states);
    }
    ranks.release(running, weights);
  }
}

/** One file for all ranks, replaced as a whole: none is ever at another step than the others. */
function save(step: number, states: readonly LoaderState[]): Promise<void> {
  return saveCheckpoint(checkpointFile, { model, loader: states, extra: { step } });
}

function meanLoss(steps: readonly StepReport[]): number {
  return steps.reduce((sum, { loss }) => sum + loss, 0) / steps.length;
}

function logIds(step: number, steps: readonly StepReport[]): void {
  if (options.idsLog === undefined) return;
  appendFileSync(options.idsLog, `${[step, ...steps.flatMap(({ ids }) => Array.from(ids))].join(' ')}\n`);
}
