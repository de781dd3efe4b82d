import { SpiralError } from '../core/errors.js';
import { epochOrder, type OpenedSource, orderedEpoch, pastOf } from './elastic.js';
import { EpochPass } from './epoch-pass.js';
import type { PassSettings } from './options.js';
import { knownRows } from './plan.js';
import type { RowIds } from './row-ids.js';
import { movedBy, type StepPlace, type StepRules } from './state-move.js';

/** What a loader's steps follow from. */
export type StepSettings = PassSettings & { readonly dropLast: boolean };

/** Where `steps` batches lead from `from`. */
export function stepsFrom(
  opened: OpenedSource,
  settings: StepSettings,
  from: StepPlace,
  steps: number,
  signal: AbortSignal,
): Promise<StepPlace> {
  const rules: StepRules = {
    batchSize: settings.batchSize,
    dropLast: settings.dropLast,
    rowsOf: async (epoch) => {
      const known = await knownRows(opened, settings, epoch, signal);
      return known === null ? null : known[settings.world.rank]!.length;
    },
    tookOver: (epoch) => pastOf(settings, epoch).length > 0,
  };
  return movedBy(from, steps, rules);
}

/** The rows of the batch number `step`, counted from epoch 0; `from` is any place of the run. */
export async function rowsAtStep(
  opened: OpenedSource,
  settings: StepSettings,
  from: StepPlace,
  step: number,
  signal: AbortSignal,
): Promise<RowIds> {
  const { source } = opened;
  const at = await stepsFrom(opened, settings, from, step - from.step, signal);
  const ordered = await orderedEpoch(opened, settings, at.epoch);
  if (ordered !== undefined) {
    const { rank } = settings.world;
    return ordered.rowIds(rank, at.samples, Math.min(ordered.rowsOf(rank), at.samples + settings.batchSize));
  }
  if (!source.filtered) {
    const order = await epochOrder(opened, settings, at.epoch, signal);
    const { shards: of, rows } = order.samples(at.samples, Math.min(order.rows, at.samples + settings.batchSize));
    return { length: rows.length, shards: of, rows };
  }
  const abort = new AbortController();
  const both = AbortSignal.any([signal, abort.signal]);
  try {
    const pass = await EpochPass.open(opened, settings, at.epoch, { signal: both, views: true });
    const supply = await pass.from({ skip: at.samples });
    const drawn = supply.skipped < at.samples ? undefined : await supply.nextGroup(1);
    if (drawn !== undefined && !(settings.dropLast && drawn.rowIds.length < settings.batchSize)) return drawn.rowIds;
  } finally {
    abort.abort();
  }
  throw new SpiralError(
    'unsupported',
    `Expected a step within epoch ${at.epoch}, as a filter hides how many batches epochs have, got step ${step}, which is ` +
      'behind its end. Use a state of the epoch that holds the step.',
    { details: { step, epoch: at.epoch } },
  );
}
