import { parentPort, workerData } from 'node:worker_threads';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { type ExportedDataSet, type MdsExportOptions, Shard, type ShardJson, Spiral } from '../index.js';

/** A part of a conversion: plain data, for a thread of its own. */
export interface ConvertJob {
  readonly overrides: Readonly<Record<string, string>>;
  readonly stateJson: string;
  readonly shards: readonly ShardJson[];
  readonly out: string;
  readonly options: MdsExportOptions;
}

export type ConvertAnswer =
  | { readonly written: ExportedDataSet }
  | { readonly code: SpiralError['code']; readonly message: string; readonly details: SpiralError['details'] };

const { overrides, stateJson, shards, out, options } = workerData as ConvertJob;
const abort = new AbortController();
parentPort!.once('message', () => abort.abort(new SpiralError('cancelled', 'The conversion was stopped.')));

async function answer(): Promise<ConvertAnswer> {
  try {
    await using spiral = new Spiral({ overrides });
    const scan = await spiral.resumeScan(stateJson);
    const own = shards.map((shard) => Shard.fromJSON(shard));
    const settings = { ...options, shards: own, hideProgressBar: true, signal: abort.signal };
    return { written: await scan.toMds(out, settings) };
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    const { code, message, details } = error;
    return { code, message, details: JSON.parse(JSON.stringify(details, plainValue)) as SpiralError['details'] };
  }
}

/** What details may hold and JSON does not. */
function plainValue(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

parentPort!.postMessage(await answer());
parentPort!.close();
