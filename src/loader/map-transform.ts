import type { RecordBatch } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { monotonicMs } from '../core/runtime.js';
import { loadModule } from '../workers/user-module.js';
import { type GivenRows, withoutBadRows } from './good-rows.js';
import type { MapResult, TimedResult } from './map-result.js';
import { packResult } from './packed-result.js';
import { batchDetails, batchText, type InlineTransform, type TransformContext, transformed } from './transform.js';
import type { TransformEntry } from './transform-module.js';

/** A transform module that is loaded in this thread and set up. */
export class MapTransform {
  readonly #name: string;
  readonly #transform: InlineTransform<unknown>;

  private constructor(name: string, transform: InlineTransform<unknown>) {
    this.#name = name;
    this.#transform = transform;
  }

  /**
   * Loads the module of `entry` and calls its setup.
   *
   * @throws SpiralError `invalid_transform` where module, export or setup are not there, `transform_failed` where the setup
   * throws.
   */
  static async load(entry: TransformEntry): Promise<MapTransform> {
    const module = await loadModule(entry.module);
    const transform = module.callable(entry.export) as InlineTransform<unknown>;
    if (entry.setup !== undefined) await setUp(entry, entry.setup, module.callable(entry.setup) as () => unknown);
    return new MapTransform(transformName(entry), transform);
  }

  /**
   * What the transform makes of a batch, or of the rest where it throws on up to `badRowsMax` rows of it; packed.
   *
   * @throws SpiralError as `transformed` does, and `invalid_transform` for a result that cannot leave the thread; each
   * names the batch, its shards and rows.
   */
  async apply(given: GivenRows, badRowsMax: number, signal?: AbortSignal): Promise<TimedResult> {
    const beginMs = monotonicMs();
    const run = (batch: RecordBatch, context: TransformContext) => this.#run(batch, context);
    const { result: mapped, bad } = await withoutBadRows(run, given, badRowsMax, signal);
    return { mapped, bad, mapMs: monotonicMs() - beginMs };
  }

  async #run(batch: RecordBatch, context: TransformContext): Promise<MapResult> {
    const result = await transformed(this.#transform, batch, context, this.#name);
    try {
      return result === null ? null : packResult(result);
    } catch (cause) {
      throw new SpiralError(
        'invalid_transform',
        `What the transform '${this.#name}' returned for ${batchText(context)} cannot leave its worker: ` +
          `${(cause as Error).message}`,
        { details: { transform: this.#name, ...batchDetails(context) }, cause },
      );
    }
  }
}

/** How errors name the transform. */
export function transformName(entry: TransformEntry): string {
  return `${entry.export} of ${entry.module}`;
}

async function setUp(entry: TransformEntry, name: string, setup: () => unknown): Promise<void> {
  try {
    await setup();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SpiralError('transform_failed', `The setup '${name}' of ${entry.module} failed: ${why}`, {
      details: { module: entry.module, export: name },
      cause,
    });
  }
}
