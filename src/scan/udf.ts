import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Data, DataType, Vector } from 'apache-arrow';
import { buildColumn } from '../arrow/build.js';
import { gatherColumn } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { sameType } from '../arrow/schema.js';
import { columnSources } from '../arrow/sources.js';
import { typeWords } from '../arrow/words.js';
import { abortable } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import type { BoundEffect } from '../expr/bound.js';
import { nodeText } from '../expr/node-text.js';
import { plainData } from '../expr/plain-values.js';
import { loadModule } from '../workers/user-module.js';

/** What a function of `se.udf` is given behind its columns. */
export interface UdfContext {
  /** Rows of each column, and values to return. */
  readonly rows: number;
  /** Aborts when the rows are not wanted any more. Not in one of `udfWorkers`, which is ended instead. */
  readonly signal: AbortSignal;
}

/**
 * The URL of the module of `effect`: a file of this machine, so that a state brings no code of its own with it.
 *
 * @throws SpiralError `invalid_transform` for what is neither a `file://` URL nor an absolute path.
 */
export function udfModule({ node }: BoundEffect): string {
  const module = String(node.options?.['module']);
  if (isAbsolute(module)) return pathToFileURL(module).href;
  if (URL.canParse(module) && new URL(module).protocol === 'file:') return module;
  throw new SpiralError(
    'invalid_transform',
    `Expected the module of ${nodeText(node)} to be a file:// URL, as \`import.meta.resolve()\` gives, or an absolute path, got ${shown(module)}.`,
    { details: { expression: nodeText(node), module } },
  );
}

/**
 * Calls the function that `effect` stands for with the columns of `rows` rows.
 *
 * @throws SpiralError `invalid_transform` where it is not there, or gives no column or one of another length;
 * `transform_failed` where it throws; `type_mismatch`, `value_out_of_range` for values that are not of its type.
 */
export async function callUdf(
  effect: BoundEffect,
  args: readonly Data[],
  rows: number,
  signal: AbortSignal,
): Promise<Data> {
  const module = await abortable(loadModule(udfModule(effect)), signal, 'The scan');
  const name = String(effect.node.options?.['export'] ?? 'default');
  const run = module.callable(name) as (...given: unknown[]) => unknown;
  const context: UdfContext = { rows, signal };
  let found: unknown;
  try {
    found = await abortable(
      (async () => run(...args.map((data) => new Vector([data])), context))(),
      signal,
      'The scan',
    );
  } catch (cause) {
    if (signal.aborted) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SpiralError(
      'transform_failed',
      `The expression ${nodeText(effect.node)} failed for a batch of ${rows} rows: ${why}`,
      { details: { expression: nodeText(effect.node), rows }, cause },
    );
  }
  return udfColumn(effect, found, rows);
}

/** What a function returned, as a column of the type that was declared. */
function udfColumn({ node, type }: BoundEffect, found: unknown, rows: number): Data {
  const text = nodeText(node);
  const where = `what ${text} returned`;
  const given = found instanceof Vector ? found.data : found instanceof Data ? [found] : undefined;
  // What `vectorFromArray` makes of texts is a dictionary.
  const chunks = given?.map((data) => (DataType.isDictionary(data.type) ? plainData(data) : (data as Data)));
  const isList = Array.isArray(found) || (ArrayBuffer.isView(found) && !(found instanceof DataView));
  const length =
    chunks?.reduce((sum, data) => sum + data.length, 0) ?? (isList ? (found as unknown[]).length : undefined);
  if (length !== rows) {
    const has = length === undefined ? shown(found) : `${length}`;
    throw new SpiralError(
      'invalid_transform',
      `Expected ${text} to return an array or an Arrow vector of ${rows} values, one for each row of the batch, got ${has}.`,
      { details: { expression: text, expected: rows, found: length ?? shown(found) } },
    );
  }
  if (chunks === undefined) return buildColumn(node.fn, type, found as ArrayLike<unknown>, rows, where);
  const own = chunks[0]?.type ?? (found as Vector | Data).type;
  if (!sameType(own, type)) {
    throw new SpiralError(
      'type_mismatch',
      `Expected ${where} to be ${typeWords(type)}, as declared, got a vector of ${typeWords(own)}.`,
      { details: { expression: text, expected: typeWords(type), found: typeWords(own) } },
    );
  }
  if (chunks.length === 1) return chunks[0] as Data;
  return gatherColumn(columnSources(type, chunks as Data[]), allRanges(chunks.map((data) => data.length)));
}
