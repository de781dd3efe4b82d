import { SpiralDataLoader } from './data-loader.js';
import type { RowIds } from './row-ids.js';
import type { LoaderSource } from './source.js';
import type { LoaderState } from './state.js';

/**
 * Which rows the batch number `step` is made of, in a run that `state` was taken in; steps count from 0, the first batch of
 * epoch 0, as `loader.step` before a batch and `ctx.step` do. Of the source only the sizes of shards are needed: without a
 * filter nothing is read.
 *
 * @throws SpiralError as `skipSteps` and the loader resumed from it do.
 */
export async function whichRows(source: LoaderSource, state: LoaderState, step: number): Promise<RowIds> {
  await using loader = SpiralDataLoader.fromStateDict(source, state, { feeder: false });
  return await loader.whichRows(step);
}
