import { mergeBatchBytesMax, partReadsMax, pickedBytesMax, readConcurrency } from '../core/limits.js';
import { MemoryPool } from '../core/memory-pool.js';
import { Semaphore } from '../core/semaphore.js';
import type { Verify } from '../core/verify.js';
import type { FileCache } from '../format/file-cache.js';
import type { ObjectStore } from '../storage/store.js';
import { BatchCache } from './batch-cache.js';
import type { ColumnChoice } from './column-choice.js';
import type { EffectAccess } from './effect-access.js';
import { Effects } from './effects.js';
import type { FilteredReading } from './part-rows.js';
import type { ScanPlan } from './plan.js';
import type { ScanCounts } from './scan-metrics.js';
import { setFiles } from './set-files.js';
import type { PartReading } from './set-reader.js';
import type { UdfThreads } from './udf-threads.js';
import { Verdicts } from './verdicts.js';

/** How a scan reads: all its columns, and where it has a filter in the steps of that. */
export interface ScanReading {
  readonly reading: PartReading;
  readonly filtered: FilteredReading | undefined;
  readonly effects: Effects;
  /** Of the key columns, in their order. */
  readonly keys: PartReading;
}

/** How `plan` is read from `stores`, those of its tables. */
export function scanReading(
  plan: ScanPlan,
  stores: readonly ObjectStore[],
  environment: {
    readonly files: FileCache;
    readonly verify: Verify;
    readonly effects?: EffectAccess | undefined;
    readonly udfThreads?: UdfThreads | undefined;
  },
  counts: ScanCounts,
): ScanReading {
  const { files, verify } = environment;
  const effects = new Effects(plan, environment.effects, environment.udfThreads);
  // Each step of a filter has columns of its own, and so batches.
  const batchBytes = plan.where === undefined ? mergeBatchBytesMax : mergeBatchBytesMax / 3;
  const picks = new Semaphore(readConcurrency);
  const reads = new Semaphore(partReadsMax);
  const scratch = new MemoryPool(undefined, pickedBytesMax).lease();
  const own = (choice: ColumnChoice): PartReading => ({
    plan: choice,
    stores,
    files,
    verify,
    counters: counts.read,
    opened: new WeakMap(),
    ready: new WeakMap(),
    batches: new BatchCache(batchBytes),
    sound: new WeakSet(),
    picks,
    reads,
    scratch,
    noteFile: (name) => counts.opened(name),
  });
  const reading = own(plan);
  const { where } = plan;
  const keys = own(keyChoice(plan));
  if (where === undefined) return { reading, filtered: undefined, effects, keys };
  const filtering = own(plan.filtering);
  const verdicts = new Verdicts(where, filtering, (part) => {
    for (const set of 'index' in part ? part.run.sets : [part.set]) {
      for (const { name } of setFiles(plan, set)) counts.prunedFile(name);
    }
  });
  return {
    reading,
    keys,
    effects,
    filtered: {
      where,
      effects,
      verdicts,
      filtering,
      others: own(plan.others),
      given: own(plan.given),
      notePruned: (batches) => counts.prunedBatches(batches),
    },
  };
}

function keyChoice({ keys, slots }: ColumnChoice): ColumnChoice {
  const places = new Int32Array(slots.length).fill(-1);
  for (const [slot, { id }] of keys.entries()) places[id] = slot;
  return { keys, columns: keys, slots: places };
}
