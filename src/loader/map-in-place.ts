import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import type { RecordBatch } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { sleep } from '../core/runtime.js';
import type { BatchMapper, GroupPart, HeldRows } from './batch-mapper.js';
import type { TimedResult } from './map-result.js';
import { MapTransform, transformName } from './map-transform.js';
import type { MapSettings } from './options.js';
import type { RowIds } from './row-ids.js';
import { batchDetails, batchText, transformContext } from './transform.js';

/**
 * Runs the transform in this thread, one batch after the other. Results pass through the same packing as those of map
 * workers, so that they are the same. The time limit holds for what the transform awaits, not for what it computes.
 */
export class MapInPlace implements BatchMapper {
  readonly ahead: { readonly min: number; readonly max: number } = { min: 1, max: 1 };
  readonly together = 1;
  readonly #settings: MapSettings;
  readonly #loaded: Promise<MapTransform>;
  /** Ends the waiting for the batch under way. */
  #running = new AbortController();

  constructor(settings: MapSettings) {
    refuseMainModule(settings.transform.module);
    this.#settings = settings;
    this.#loaded = MapTransform.load(settings.transform);
    // The first batch reports what went wrong with it.
    this.#loaded.catch(() => {});
  }

  begin(): void {}

  map({ batch }: HeldRows, parts: readonly GroupPart[]): readonly Promise<TimedResult>[] {
    return parts.map((part) => this.#mapped(batch, part));
  }

  async close(): Promise<void> {
    this.#running.abort(new SpiralError('closed', 'The loader was closed before its transform ended.'));
  }

  async #mapped(batch: RecordBatch, { rowIds, place }: GroupPart): Promise<TimedResult> {
    const { seed, transformTimeoutMs, badRowsMax } = this.#settings;
    const context = transformContext(seed, place, rowIds);
    const running = new AbortController();
    this.#running = running;
    const late = sleep(transformTimeoutMs, running.signal).then(() => {
      const name = transformName(this.#settings.transform);
      throw new SpiralError(
        'transform_timeout',
        `Expected the transform '${name}' to end within ${transformTimeoutMs} ms on ${batchText(context)}. Raise ` +
          '`transformTimeoutMs` if it needs longer.',
        { details: { transform: name, ...batchDetails(context), timeoutMs: transformTimeoutMs } },
      );
    });
    const given = { batch, rowIds, contextOf: (ids: RowIds) => transformContext(seed, place, ids) };
    const result = this.#loaded.then((transform) => transform.apply(given, badRowsMax, running.signal));
    try {
      return await Promise.race([result, late]);
    } finally {
      late.catch(() => {});
      result.catch(() => {});
      running.abort();
    }
  }
}

/** A script that waits for its own loader would wait for itself, were it imported once more in its own thread. */
function refuseMainModule(module: string): void {
  const script = process.argv[1];
  if (!isMainThread || script === undefined || pathToFileURL(script).href !== module) return;
  throw new SpiralError(
    'invalid_transform',
    `Expected a transform in a module of its own, got the script that runs, ${module}. Move the transform to another file.`,
    { details: { module } },
  );
}
