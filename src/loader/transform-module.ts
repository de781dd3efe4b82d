import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { knownOptions } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { isHosted } from '../workers/hosted-thread.js';

/**
 * A transform that map workers load by themselves: an export of a module, called as `(batch, context) => result` for each
 * batch, results being waited for. {@link transformModule} makes one.
 */
export interface TransformModule {
  /** URL of the module, or its absolute path. */
  readonly module: string | URL;
  /** Name of the export. Default `default`. */
  readonly export?: string;
  /** Name of an export that is called, and waited for, once in each worker before its first batch. */
  readonly setup?: string;
}

/** A {@link TransformModule} with its defaults in place, as it crosses between threads. */
export interface TransformEntry {
  readonly module: string;
  readonly export: string;
  readonly setup: string | undefined;
}

/**
 * Names an export of this very module as a transform for map workers:
 *
 * ```ts
 * // tokenize.ts
 * export const tokens = transformModule(import.meta.url, 'tokenize', { setup: 'loadVocabulary' });
 * export function tokenize(batch: RecordBatch, context: TransformContext) { … }
 * // train.ts
 * const loader = scan.toDataLoader({ transformFn: tokens, mapWorkers: 2 });
 * ```
 *
 * Workers import the module, so it must do nothing else when it is loaded: not the training script itself. What the
 * transform returns is copied out of the worker: plain objects and arrays, Map, Set, Date, bigint, typed arrays, Arrow
 * batches, tables and vectors; `null` drops the batch.
 *
 * @throws SpiralError `invalid_transform` for what is no URL or no name.
 */
export function transformModule(
  module: string | URL,
  name: string,
  options: { readonly setup?: string } = {},
): TransformModule {
  knownOptions('transformModule', options, ['setup']);
  const transform = { module, export: name, ...(options.setup === undefined ? {} : { setup: options.setup }) };
  transformEntry(transform);
  return transform;
}

/**
 * `transform` with its defaults in place.
 *
 * @throws SpiralError `invalid_transform`, naming the field that is wrong.
 */
export function transformEntry(transform: TransformModule): TransformEntry {
  const { module, export: name = 'default', setup, ...others } = transform;
  knownOptions('A transform module', others, ['module', 'export', 'setup']);
  if (typeof name !== 'string' || name === '') throw invalid('export', 'the name of an export', name);
  if (setup !== undefined && (typeof setup !== 'string' || setup === '')) {
    throw invalid('setup', 'the name of an export', setup);
  }
  return { module: moduleUrl(module), export: name, setup };
}

/**
 * Refuses a loader with a transform module in a thread of this package: a module that makes one when it is imported would
 * be imported for ever, each time in another thread.
 *
 * @throws SpiralError `invalid_transform`.
 */
export function refuseHosted({ module }: TransformEntry): void {
  if (!isHosted()) return;
  throw new SpiralError(
    'invalid_transform',
    'Expected a module that only defines its transform, but one that was loaded for its transform makes a data loader ' +
      `with the transform module ${module}. Move the transform to a file of its own.`,
    { details: { module } },
  );
}

function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module === 'string' && isAbsolute(module)) return pathToFileURL(module).href;
  // A bare name would be resolved from this package, not from the caller.
  if (typeof module === 'string' && URL.canParse(module)) return module;
  throw invalid('module', 'a URL, as `import.meta.url` or `import.meta.resolve()` gives, or an absolute path', module);
}

function invalid(field: string, expected: string, found: unknown): SpiralError {
  return new SpiralError(
    'invalid_transform',
    `Expected \`${field}\` of a transform module to be ${expected}, got ${shown(found)}.`,
    { details: { field, found } },
  );
}
