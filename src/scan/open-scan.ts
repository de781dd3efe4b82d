import type { RecordBatch, Schema } from 'apache-arrow';
import { plainRowBytes } from '../arrow/layout.js';
import { abortable } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { joinedBatchBytes } from '../core/limits.js';
import { monotonicMs } from '../core/runtime.js';
import type { Verify } from '../core/verify.js';
import { effectsOf } from '../expr/bound.js';
import type { ExprNode } from '../expr/node.js';
import type { FileCache } from '../format/file-cache.js';
import { type Segment, Shard, segmentsWithin } from '../sharding/shard.js';
import type { StoreSettings } from '../storage/store-settings.js';
import type { TableStore } from '../table/table-store.js';
import type { EffectAccess } from './effect-access.js';
import { explainScan } from './explain.js';
import { tablesText } from './explain-text.js';
import { survivingRows } from './filtered-reader.js';
import { joinedRows, refuseAux, shifted } from './given-rows.js';
import { KeyBlocks } from './key-blocks.js';
import { mergeIndex } from './merge-keys.js';
import { placeMergedRows } from './merged-reader.js';
import { naturalShards } from './natural-shards.js';
import { batchEnd, joinedEnd, type Part, partsOf } from './part.js';
import { isNameable, partNames } from './part-names.js';
import { partCuts, partReadsAlone, pickPart } from './part-reader.js';
import { byId, filteredCuts, partFiltering, readGiven } from './part-rows.js';
import { planScan, type ScanPlan } from './plan.js';
import type { QueryPlan } from './query-plan.js';
import { pinnedTables, type ScanRecipe, scanRecipe } from './recipe.js';
import type { ReopenRecipe } from './reopen.js';
import { rowKey } from './row-key.js';
import { ScanCounts, type ScanMetrics } from './scan-metrics.js';
import { type ScanReading, scanReading } from './scan-reading.js';
import { setFiles } from './set-files.js';
import { filled, type PartOptions, type PartReading } from './set-reader.js';
import { checkOrigins } from './shard-origin.js';
import { type Taking, takeRows } from './take.js';
import type { UdfThreads } from './udf-threads.js';

/** What a scan needs around it: where tables are, and what is open already. */
export interface ScanEnvironment {
  openTable(tableId: string): Promise<ScanTable>;
  readonly files: FileCache;
  readonly verify: Verify;
  /** What effects may reach; default: public addresses. */
  readonly effects?: EffectAccess;
  /** The threads of `udf`. Default: the scan's own. */
  readonly udfThreads?: UdfThreads | undefined;
  /** How other threads read the same stores. Default: as `openStore` has it. */
  readonly stores?: StoreSettings | undefined;
  /** Bytes at which a natural shard is cut. */
  readonly shardBytesMax: number;
}

/** What a scan needs of a table. */
export type ScanTable = Pick<TableStore, 'name' | 'store' | 'at' | 'explained'>;

/** A scan that is open: planned, the logs of its tables read, of its data only keys that had to be merged. */
export interface OpenScan {
  readonly recipe: ScanRecipe;
  /** How another thread opens the same. */
  readonly reopen: ReopenRecipe;
  readonly plan: QueryPlan;
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
  /** Those of physical rows `from … to` of `shard` that survive the filter, as one batch. */
  readRows(shard: Shard, from: number, to: number, options?: PartOptions): Promise<GivenRows>;
  /** Reads what {@link readRows} would put together, to be put together later; undefined where there is no such second step. */
  placeRows?(shard: Shard, from: number, to: number, options?: PartOptions): Promise<ReadRows> | undefined;
  /** Which of physical rows `from … to` of `shard` survive the filter, counted from `from`; undefined: all. Reads no others' columns. */
  survivors(shard: Shard, from: number, to: number, options?: PartOptions): Promise<Int32Array | undefined>;
  /** The rows with the keys of `table`, see `takeRows`. */
  take(table: RecordBatch, options?: PartOptions): Promise<RecordBatch>;
  /** The encoded key of row `row` of part number `part`, or where a record batch or piece begins one not above it. */
  keyAt(part: number, row: number): Promise<Uint8Array>;
  /** The plan as text for people. Reads no cell, but the ends of files that keys do not rule out. */
  explain(): Promise<string>;
  /** Whether the filter rules out every row by the keys alone. */
  rulesOutAll(): boolean;
  /** The end of the record batch that holds physical row `row` of `shard`. */
  batchEnd(shard: Shard, row: number): number;
  /** Whether, as things stand, rows around physical row `row` of `shard` cost little to read without all of their record batch. */
  readsAlone?(shard: Shard, row: number, verify?: Verify): boolean;
  /** The end of the record batches from physical row `row` of `shard` on that are best read as one, where that may be several. */
  joinedEnd?(shard: Shard, row: number): number;
  /**
   * The rows between `from` and `to` of `shard` at which other record batches begin: what lies between two of them is whole
   * or damaged together.
   */
  batchCuts(shard: Shard, from: number, to: number): Promise<number[]>;
  checkShards(shards: readonly Shard[]): void;
  /**
   * Names for the parts of a scan of one table: a part that has its name at another version has the same rows there, in the
   * same places, and of them the same ones survive the filter. Undefined where nobody can say.
   */
  partNames?(): readonly string[];
}

/** Rows that a scan gives. */
export interface GivenRows {
  readonly batch: RecordBatch;
  /** Where each of them stood, counted from the first row asked for; undefined where none is left out. */
  readonly rows: Int32Array | undefined;
}

/** Rows that were read and wait to be put together; the memory that they lie in is held until then. */
export interface ReadRows {
  /** Puts them together: once, and not after {@link release}. */
  give(): Promise<GivenRows>;
  /** Gives the memory back where nobody wants the rows. */
  release(): void;
}

/** Opens `recipe`. @throws SpiralError `unknown_table`, `version_not_found`, the errors of {@link planScan}, `corrupt_file`. */
export async function openScan(recipe: ScanRecipe, environment: ScanEnvironment): Promise<OpenScan> {
  const { plan, tables, explained } = await openTables(recipe, environment);
  const counts = new ScanCounts();
  const stores = tables.map(({ store }) => store);
  const steps = scanReading(plan, stores, environment, counts);
  const { reading, filtered, effects, keys } = steps;
  const parts = await partsOf(plan.runs, (run) => mergeIndex(reading, run)).catch(explained);
  const taking = tableTaking(plan, steps, parts);
  const natural = naturalShards(parts, environment.shardBytesMax);
  const joinedRowsMax = joinableRows(plan);
  return {
    recipe,
    reopen: {
      scan: recipe,
      tables,
      verify: environment.verify,
      effects: environment.effects,
      shardBytesMax: environment.shardBytesMax,
      stores: environment.stores,
    },
    plan,
    schema: plan.schema,
    // How many rows survive is not known before they are read.
    shards: filtered === undefined ? natural : natural.map((shard) => new Shard(shard.keyRange, null, shard.segments)),
    bytesPerRow: bytesPerRow(plan, parts),
    metrics: () => counts.metrics,
    project: (projection) => openScan(scanRecipe(pinnedTables(recipe), projection, recipe.where), environment),
    readRows: async (shard, from, to, options) => {
      refuseAux(plan);
      const pieces = segmentsWithin(shard, from, to);
      const begin = monotonicMs();
      const given = await Promise.all(
        pieces.map((piece) => readGiven(reading, filtered, parts[piece.part]!, piece, options)),
      ).catch(explained);
      const rows = await joinedRows(plan, effects, given, pieces, options?.signal);
      counts.add(rows.batch.numRows, monotonicMs() - begin);
      return rows;
    },
    placeRows: (shard, from, to, options) =>
      placedRows(plan, steps, parts, segmentsWithin(shard, from, to), options, counts, explained),
    survivors: async (shard, from, to, options) => {
      if (filtered === undefined) return undefined;
      const pieces = segmentsWithin(shard, from, to);
      const found = await Promise.all(
        pieces.map((piece) =>
          survivingRows(partFiltering(filtered, parts[piece.part]!), piece.from, piece.to, options),
        ),
      ).catch(explained);
      return shifted(found, pieces);
    },
    take: async (table, options) => {
      const begin = monotonicMs();
      const batch = await takeRows(taking, table, options).catch(explained);
      counts.add(batch.numRows, monotonicMs() - begin);
      return batch;
    },
    keyAt: (part, row) => rowKey(keys, parts[part]!, row).catch(explained),
    explain: () => explainScan(plan, parts, steps).catch(explained),
    rulesOutAll: () => filtered !== undefined && parts.every((part) => filtered.verdicts.rulesOut(part)),
    batchEnd: (shard, row) => endWithin(shard, row, (part, at) => batchEnd(parts[part]!, at)),
    readsAlone: (shard, row, verify) => filtered === undefined && readsAlone(reading, parts, shard, row, verify),
    joinedEnd: (shard, row) => endWithin(shard, row, (part, at) => joinedEnd(parts[part]!, at, joinedRowsMax)),
    batchCuts: (shard, from, to) => batchCuts(steps, parts, segmentsWithin(shard, from, to), from),
    verifies: environment.verify !== 'never',
    checkShards: (given) => checkShards(recipe, plan, parts, given),
    ...(isNameable(plan) ? { partNames: () => partNames(plan.filtering, parts) } : {}),
  };
}

/** The tables of `recipe`: what is planned of them, where they are, and what an error that is met in reading them means. */
async function openTables(
  recipe: ScanRecipe,
  environment: ScanEnvironment,
): Promise<{ plan: ScanPlan; tables: ReopenRecipe['tables']; explained: (error: unknown) => Promise<never> }> {
  const opened = await Promise.all(
    pinnedTables(recipe).map(async ({ table: id, version: number }) => {
      const table = await environment.openTable(id);
      return { id, table, name: table.name, store: table.store, version: await table.at(number) };
    }),
  );
  const explained = async (error: unknown): Promise<never> => {
    for (const { table, version } of opened) {
      const known = await table.explained(error, version.version);
      if (known !== error) throw known;
    }
    throw error;
  };
  return {
    plan: planScan(opened, recipe),
    tables: opened.map(({ id, name, store }) => ({ id, name, store })),
    explained,
  };
}

/** Reads what rows `pieces` are put together from, where that is done at all, and nothing is left out of it. */
function placedRows(
  plan: ScanPlan,
  { reading, filtered, effects }: ScanReading,
  parts: readonly Part[],
  pieces: readonly Segment[],
  options: PartOptions | undefined,
  counts: ScanCounts,
  explained: (error: unknown) => Promise<never>,
): Promise<ReadRows> | undefined {
  const [piece, next] = pieces;
  const part = piece === undefined ? undefined : parts[piece.part]!;
  if (piece === undefined || next !== undefined || filtered !== undefined || plan.columns.length === 0)
    return undefined;
  if (part === undefined || !('index' in part)) return undefined;
  const begin = monotonicMs();
  const placed = placeMergedRows(reading, part, piece.from, piece.to, options ?? {});
  if (placed === undefined) return undefined;
  const count = piece.to - piece.from;
  const work = async (): Promise<ReadRows> => {
    refuseAux(plan);
    const cells = await abortable(placed, options?.signal, 'The scan').catch((error) => {
      placed.then((late) => late.release()).catch(() => {});
      return explained(error);
    });
    const ms = monotonicMs() - begin;
    return {
      give: async () => {
        const start = monotonicMs();
        const given = { count, rows: undefined, columns: byId(plan, filled(reading.plan, cells.take(), count)) };
        const rows = await joinedRows(plan, effects, [given], pieces, options?.signal);
        counts.add(rows.batch.numRows, ms + monotonicMs() - start);
        return rows;
      },
      release: () => cells.release(),
    };
  };
  return work();
}

/** How rows of tables are taken by their keys. */
function tableTaking(plan: ScanPlan, { reading, effects, keys }: ScanReading, parts: readonly Part[]): Taking {
  const blocks = new KeyBlocks(keys, parts);
  return {
    plan,
    effects,
    columns: plan.columns,
    find: (codes, _, { signal }) => blocks.find(codes, signal),
    pick: async (part, rows, options) => byId(plan, await pickPart(reading, parts[part]!, rows, options)),
  };
}

/** Where other record batches begin within `pieces`, the first row of which is number `from`. */
async function batchCuts(
  { reading, filtered }: ScanReading,
  parts: readonly Part[],
  pieces: readonly Segment[],
  from: number,
): Promise<number[]> {
  const cuts: number[] = [];
  const cutsOf = filtered === undefined ? partCuts : filteredCuts;
  let start = from;
  for (const piece of pieces) {
    if (start > from) cuts.push(start);
    const within = await cutsOf(reading, parts[piece.part]!, piece.from, piece.to);
    for (const cut of within) cuts.push(start + cut - piece.from);
    start += piece.to - piece.from;
  }
  return cuts;
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

/** The end, in `shard`, of what holds its physical row `row`, by what `endOf` says of the part that the row is in. */
function endWithin(shard: Shard, row: number, endOf: (part: number, row: number) => number): number {
  let start = 0;
  for (const { part, from, to } of shard.segments) {
    const end = start + to - from;
    if (row < end) return start + Math.min(to, endOf(part, from + row - start)) - from;
    start = end;
  }
  return start;
}

/**
 * Rows of record batches that are given as one: none where a row may be large, is picked by a filter, or costs so much that
 * batches should be small: what runs code or fetches.
 */
function joinableRows({ columns, where, outputs }: ScanPlan): number {
  if (where !== undefined || columns.length === 0 || effectsOf(outputs).length > 0) return 0;
  let bytes = 0;
  for (const { type } of columns) bytes += plainRowBytes(type) ?? Number.POSITIVE_INFINITY;
  return Math.floor(joinedBatchBytes / bytes);
}

/** Whether rows around row `row` of `shard` are read by themselves, at once. */
function readsAlone(reading: PartReading, parts: readonly Part[], shard: Shard, row: number, verify?: Verify): boolean {
  const [at] = segmentsWithin(shard, row, row + 1);
  return at !== undefined && partReadsAlone(reading, parts[at.part]!, at.from, verify);
}

function checkShards(recipe: ScanRecipe, plan: ScanPlan, parts: readonly Part[], shards: readonly Shard[]): void {
  if (!Array.isArray(shards) || !shards.every((shard) => shard instanceof Shard)) {
    throw new SpiralError(
      'invalid_shards',
      `Expected an array of shards, got ${shown(shards)}. Take them from \`scan.shards()\`, or make them of their JSON with ` +
        '`Shard.fromJSON`.',
      { details: { found: shown(shards) } },
    );
  }
  checkOrigins(recipe, plan.tableName, shards);
  for (const [at, shard] of shards.entries()) {
    for (const { part, from, to } of shard.segments) {
      const stored = parts[part];
      if (stored !== undefined && isSpan(from, to, stored.rows) && holds(stored, shard)) continue;
      throw new SpiralError(
        'invalid_shards',
        `Expected shards of ${tablesText(plan.tables)}, but shard ${at} names rows ${from} to ${to} ` +
          `of part ${part}, which is not there. Take shards from this scan, or resume the scan they are of.`,
        { details: { table: plan.tableName, version: plan.tables[0]!.version, shard: at, part, from, to } },
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
