/** One rank: trains on its part of the table, in step with the others. Started by `data-parallel.ts`. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Spiral, World } from 'spiral-loader';
import { pickBackend, toTensors } from 'spiral-loader/tfjs';
import { imageSpec } from '../mnist/network.js';
import type { RankReport, StartMessage, Weights } from './messages.js';
import { buildModel, setWeights, weightsOf } from './model.js';

// Ctrl-C reaches every process of the terminal: when to stop is the parent's to say.
process.on('SIGINT', () => {});
// Without the parent there is nothing left to do.
process.on('disconnect', () => process.exit());

const [start] = (await once(process, 'message')) as [StartMessage];
const { tf, name: backend } = await pickBackend();
const model = buildModel(tf, backend, start);
setWeights(tf, model, start.weights);

const spiral = new Spiral({ overrides: { 'warehouse.uri': join(start.dir, 'warehouse') } });
const project = (await spiral.listProjects())[0]!;
const scan = await spiral.scan((await project.table(start.table)).select('id', 'image', 'label'));
// RANK and WORLD_SIZE are in the environment. From the states of all ranks of any world, each row that is left of the epoch
// goes to one rank of this one.
const loader =
  start.states === undefined
    ? scan.toDistributedDataLoader({
        batchSize: start.batchSize,
        seed: start.seed,
        uneven: 'split',
        shuffleChunkRows: 256,
        interleaveShards: 4,
        shuffleBufferSize: 4096,
      })
    : scan.resumeDataLoader(start.states, { world: World.fromEnv() });

for (let epoch = start.epoch; epoch < start.epochs; epoch++) {
  if (loader.epoch === epoch) {
    for await (const batch of loader) {
      const columns = { xs: { image: imageSpec(model) }, ys: { label: { oneHot: 10 } }, tf };
      const { xs, ys } = toTensors(batch, columns);
      const [loss] = (await model.trainOnBatch(xs.image!, ys.label!)) as number[];
      tf.dispose([xs, ys]);
      const ids = batch.getChild('id')!.toArray() as BigInt64Array;
      await report({ kind: 'step', state: loader.stateDict(), weights: weightsOf(model), loss: loss!, ids });
    }
  }
  await report({ kind: 'epoch', state: loader.stateDict() });
}
await loader.close();
await spiral.close();
process.disconnect();

/** Says how it stands, and goes on with the weights of all. */
async function report(message: RankReport): Promise<void> {
  process.send!(message);
  const [weights] = (await once(process, 'message')) as [Weights];
  setWeights(tf, model, weights);
}
