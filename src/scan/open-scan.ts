import type { RecordBatch, Schema } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { SpiralError, shown } from '../core/errors.js';
import { mergeBatchBytesMax } from '../core/limits.js';
import type { Verify } from '../core/verify.js';
import type { ExprNode } from '../expr/node.js';
import type { FileCache } from '../format/file-cache.js';
import { Shard } from '../sharding/shard.js';
import type { TableStore } from '../table/table-store.js';
import { BatchCache } from './batch-cache.js';
import { mergeIndex } from './merge-keys.js';
import { mergedCuts, readMergedRows } from './merged-reader.js';
import { naturalShards } from './natural-shards.js';
import { type Part, partsOf, stretchEnd } from './part.js';
import { planScan, type ScanPlan } from './plan.js';
import type { ScanRecipe } from './recipe.js';
import type { ReopenRecipe } from './reopen.js';
import { setFiles } from './set-files.js';
import { type PartOptions, type PartReading, readSetRows, setCuts } from './set-reader.js';

/** What a scan needs around it: where tables are, and what is open already. */
export interface ScanEnvironment {
  openTable(tableId: string): Promise<ScanTable>;
  readonly files: FileCache;
  readonly verify: Verify;
  /** Bytes at which a natural shard is cut. */
  readonly shardBytesMax: number;
}

/** What a scan needs of a table. */
export type ScanTable = Pick<TableStore, 'name' | 'store' | 'at' | 'explained'>;

/** What reading took so far. */
export interface ScanMetrics {
  /** Bytes read from the store, and reads that took. */
  readonly bytes: number;
  readonly requests: number;
  readonly rows: number;
  readonly batches: number;
}

/** A scan that is open: planned, its table's log read, of its data only keys that had to be merged. */
export interface OpenScan {
  readonly recipe: ScanRecipe;
  /** How another thread opens the same. */
  readonly reopen: ReopenRecipe;
  readonly plan: Pick<ScanPlan, 'keySchema' | 'keys'>;
  readonly schema: Schema;
  readonly shards: readonly Shard[];
  /** Bytes that a row takes where it is stored, on average, other columns of the same files included; undefined without rows. */
  readonly bytesPerRow: number | undefined;
  /** Record batches that may be read ahead, where they may be so large that their number must be bounded. */
  readonly readaheadMax?: number | undefined;
  /** Whether damage is found wherever it is: no file is read without its checksums. */
  readonly verifies: boolean;
  metrics(): ScanMetrics;
  /** The same rows and shards, with other columns. */
  project(projection: ExprNode): Promise<OpenScan>;
  /** Physical rows `from … to` of `shard`, as one batch. */
  readRows(shard: Shard, from: number, to: number, options?: PartOptions): Promise<RecordBatch>;
  /** The end of the record batch that holds physical row `row` of `shard`. */
  batchEnd(shard: Shard, row: number): number;
  /**
   * The rows between `from` and `to` of `shard` at which other record batches begin: what lies between two of them is whole
   * or damaged together.
   */
  batchCuts(shard: Shard, from: number, to: number): Promise<number[]>;
  checkShards(shards: readonly Shard[]): void;
}

/** Opens `recipe`. @throws SpiralError `unknown_table`, `version_not_found`, the errors of {@link planScan}, `corrupt_file`. */
export async function openScan(recipe: ScanRecipe, environment: ScanEnvironment): Promise<OpenScan> {
  const table = await environment.openTable(recipe.table);
  const plan = planScan(await table.at(recipe.version), recipe.projection, table.name);
  const counters = { bytes: 0, requests: 0 };
  const counted = { rows: 0, batches: 0 };
  const reading: PartReading = {
    plan,
    store: table.store,
    files: environment.files,
    verify: environment.verify,
    counters,
    opened: new WeakMap(),
    batches: new BatchCache(mergeBatchBytesMax),
    sound: new WeakSet(),
  };
  const explained = async (error: unknown): Promise<never> => {
    throw await table.explained(error, plan.version);
  };
  const parts = await partsOf(plan.runs, (run) => mergeIndex(reading, run)).catch(explained);
  const shards = naturalShards(parts, environment.shardBytesMax);
  return {
    recipe,
    reopen: {
      scan: recipe,
      tables: [{ id: recipe.table, name: table.name, store: table.store }],
      verify: environment.verify,
      shardBytesMax: environment.shardBytesMax,
    },
    plan,
    schema: plan.schema,
    shards,
    bytesPerRow: bytesPerRow(plan, parts),
    metrics: () => ({ ...counters, ...counted }),
    project: (projection) => openScan({ ...recipe, projection }, environment),
    readRows: async (shard, from, to, options) => {
      const pieces = piecesOf(shard, from, to);
      const batches = await Promise.all(
        pieces.map((piece) => readPart(reading, parts[piece.part]!, piece.from, piece.to, options)),
      ).catch(explained);
      counted.rows += to - from;
      counted.batches++;
      if (batches.length === 1) return batches[0]!;
      const ranges = allRanges(batches.map((batch) => batch.numRows));
      return gatherBatch(plan.schema, batchSources(plan.schema, batches), ranges);
    },
    batchEnd: (shard, row) => batchEnd(parts, shard, row),
    batchCuts: async (shard, from, to) => {
      const cuts: number[] = [];
      let start = from;
      for (const piece of piecesOf(shard, from, to)) {
        if (start > from) cuts.push(start);
        const within = await cutsWithin(reading, parts[piece.part]!, piece.from, piece.to);
        for (const cut of within) cuts.push(start + cut - piece.from);
        start += piece.to - piece.from;
      }
      return cuts;
    },
    verifies: environment.verify !== 'never',
    checkShards: (given) => checkShards(plan, parts, given),
  };
}

function bytesPerRow(plan: ScanPlan, parts: readonly Part[]): number | undefined {
  let [rows, bytes] = [0, 0];
  for (const part of parts) {
    const sets = 'index' in part ? part.run.sets : [part.set];
    for (const set of sets) for (const file of setFiles(plan, set)) bytes += file.bytes;
    rows += part.rows;
  }
  return rows === 0 ? undefined : bytes / rows;
}

function readPart(
  reading: PartReading,
  part: Part,
  from: number,
  to: number,
  options: PartOptions | undefined,
): Promise<RecordBatch> {
  if ('index' in part) return readMergedRows(reading, part, from, to, options);
  return readSetRows(reading, part.set, from, to, options);
}

function cutsWithin(reading: PartReading, part: Part, from: number, to: number): Promise<number[]> {
  if ('index' in part) return mergedCuts(reading, part, from, to);
  return setCuts(reading, part.set, from, to);
}

/** The rows of parts that physical rows `from … to` of `shard` are. */
function piecesOf(shard: Shard, from: number, to: number): { part: number; from: number; to: number }[] {
  const pieces: { part: number; from: number; to: number }[] = [];
  let start = 0;
  for (const segment of shard.segments) {
    const end = start + segment.to - segment.from;
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first < last) {
      pieces.push({ part: segment.part, from: segment.from + first - start, to: segment.from + last - start });
    }
    start = end;
  }
  return pieces;
}

function batchEnd(parts: readonly Part[], shard: Shard, row: number): number {
  let start = 0;
  for (const segment of shard.segments) {
    const end = start + segment.to - segment.from;
    if (row < end) {
      const stretch = stretchEnd(parts[segment.part]!, segment.from + row - start);
      return start + Math.min(segment.to, stretch) - segment.from;
    }
    start = end;
  }
  return start;
}

function checkShards(plan: ScanPlan, parts: readonly Part[], shards: readonly Shard[]): void {
  if (!Array.isArray(shards) || !shards.every((shard) => shard instanceof Shard)) {
    throw new SpiralError(
      'invalid_shards',
      `Expected an array of shards, got ${shown(shards)}. Take them from \`scan.shards()\`, or make them of their JSON with ` +
        '`Shard.fromJSON`.',
      { details: { found: shown(shards) } },
    );
  }
  for (const [at, shard] of shards.entries()) {
    for (const { part, from, to } of shard.segments) {
      const stored = parts[part];
      if (stored !== undefined && isSpan(from, to, stored.rows) && holds(stored, shard)) continue;
      throw new SpiralError(
        'invalid_shards',
        `Expected shards of ${plan.tableName} at version ${plan.version}, but shard ${at} names rows ${from} to ${to} ` +
          `of part ${part}, which is not there. Take shards from this scan, or resume the scan they are of.`,
        { details: { table: plan.tableName, version: plan.version, shard: at, part, from, to } },
      );
    }
  }
}

function isSpan(from: number, to: number, rows: number): boolean {
  return Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= rows;
}

/** Whether the key range of `shard` meets the keys of `part`: a shard of another table rarely does. */
function holds(part: Part, shard: Shard): boolean {
  const { begin, end } = shard.keyRange;
  if (begin !== null && Buffer.compare(begin, part.keyMax) > 0) return false;
  return end === null || Buffer.compare(end, part.keyMin) > 0;
}
