import { decodedPerStoredByte, fileGroupsBytesMax, fileReadaheadBytesMax } from '../core/limits.js';
import { monotonicMs } from '../core/runtime.js';
import type { Verify } from '../core/verify.js';
import { type Segment, Shard, segmentsWithin } from '../sharding/shard.js';
import type { StoreSettings } from '../storage/store-settings.js';
import type { EffectAccess } from './effect-access.js';
import { Effects } from './effects.js';
import { fileCuts } from './file-cuts.js';
import { explainFiles } from './file-explain.js';
import { type FilePlan, planFiles } from './file-plan.js';
import { FileReader, type FileReading } from './file-reader.js';
import { fileFiltering, rulesOutFile } from './file-rows.js';
import { fileSetId } from './file-set.js';
import { checkFileShards, fileKeyAt, fileShards, groupEnd } from './file-shards.js';
import { fileTaking } from './file-take.js';
import { readSurvivors, survivingRows } from './filtered-reader.js';
import { type GivenColumns, joinedRows, refuseAux, shifted } from './given-rows.js';
import { GroupCache } from './group-cache.js';
import type { OpenFiles } from './open-files.js';
import type { OpenScan } from './open-scan.js';
import { type FileRecipe, fileRecipe } from './recipe.js';
import { ScanCounts } from './scan-metrics.js';
import type { PartOptions } from './set-reader.js';
import { takeRows } from './take.js';
import type { UdfThreads } from './udf-threads.js';

/** What a scan of files needs around it. */
export interface FileEnvironment {
  /** The files of a recipe, opened once however many scans read them. */
  openFiles(recipe: FileRecipe): Promise<OpenFiles>;
  readonly verify: Verify;
  /** What effects may reach; default: public addresses. */
  readonly effects?: EffectAccess;
  /** The threads of `udf`. Default: the scan's own. */
  readonly udfThreads?: UdfThreads | undefined;
  /** How other threads read the same stores. Default: as `openStore` has it. */
  readonly stores?: StoreSettings | undefined;
  /** Bytes at which a shard of small groups is cut. */
  readonly shardBytesMax: number;
  /** Bytes of decoded groups that are kept for their other rows. Default 256 MiB. */
  readonly groupsBytesMax?: number;
}

/** Bytes of memory that a byte of rows which can be read one by one, so of text, takes: short numbers become long. */
const textByteInMemory = 2;

/** Opens a scan of files. @throws SpiralError as `openFileSet` and `planFiles`. */
export async function openFileScan(recipe: FileRecipe, environment: FileEnvironment): Promise<OpenScan> {
  const files = await environment.openFiles(recipe);
  const plan = planOf(files, recipe);
  const { where } = plan;
  const effects = new Effects(plan, environment.effects, environment.udfThreads);
  const counts = new ScanCounts(files.counters);
  const { storedBytes, ...sizes } = sizesOf(files);
  const groupsBytesMax = environment.groupsBytesMax ?? fileGroupsBytesMax;
  const keepsAll = storedBytes * textByteInMemory <= groupsBytesMax;
  const reading: FileReading = { plan, files, groups: new GroupCache(groupsBytesMax), keepsAll, counts, effects };
  const natural = fileShards(files, environment.shardBytesMax);
  const taking = fileTaking(reading);
  return {
    recipe,
    reopen: {
      scan: recipe,
      tables: [{ id: recipe.table, name: plan.tableName, store: files.store }],
      verify: environment.verify,
      effects: environment.effects,
      shardBytesMax: environment.shardBytesMax,
      stores: environment.stores,
      indexes: files.files.map(({ file }) => file.index),
    },
    plan,
    schema: plan.schema,
    // How many rows survive is not known before they are read.
    shards: where === undefined ? natural : natural.map((shard) => new Shard(shard.keyRange, null, shard.segments)),
    ...sizes,
    metrics: () => counts.metrics,
    project: (projection) => openFileScan(fileRecipe(recipe.files, projection, recipe.where), environment),
    readRows: async (shard, from, to, options) => {
      refuseAux(plan);
      const pieces = segmentsWithin(shard, from, to);
      const begin = monotonicMs();
      const rows = await joinedRows(
        plan,
        effects,
        await Promise.all(pieces.map((piece) => readGiven(reading, piece, withoutMemory(options)))),
        pieces,
        options?.signal,
      );
      counts.add(rows.batch.numRows, monotonicMs() - begin);
      return rows;
    },
    survivors: async (shard, from, to, options) => {
      refuseAux(plan);
      if (where === undefined) return undefined;
      const pieces = segmentsWithin(shard, from, to);
      const found = pieces.map((piece) =>
        survivingRows(fileFiltering(reading, where, piece), piece.from, piece.to, withoutMemory(options)),
      );
      return shifted(await Promise.all(found), pieces);
    },
    take: async (table, options) => {
      const begin = monotonicMs();
      const batch = await takeRows(taking, table, withoutMemory(options));
      counts.add(batch.numRows, monotonicMs() - begin);
      return batch;
    },
    keyAt: async (part, row) => fileKeyAt(files, part, row),
    explain: async () => explainFiles(reading),
    rulesOutAll: () => where !== undefined && files.files.every((_, number) => rulesOutFile(reading, where, number)),
    batchEnd: (shard, row) => groupEnd(files, shard, row),
    batchCuts: (shard, from, to) => fileCuts(reading, shard, from, to),
    // What is damaged together, a group or a row of text, is always read whole, so its damage is met.
    verifies: true,
    checkShards: (given) => checkFileShards(recipe, files, given),
  };
}

function planOf({ set, schema, files }: OpenFiles, recipe: FileRecipe): FilePlan {
  // Where rows are damaged one by one they are stored one by one.
  const columnar = files.every(({ file }) => file.readRows === undefined);
  return planFiles({ id: fileSetId(set), name: set.root, schema, columnar }, recipe);
}

function sizesOf({ files }: OpenFiles): Pick<OpenScan, 'bytesPerRow' | 'readaheadMax'> & { storedBytes: number } {
  let [rows, bytes, largest] = [0, 0, 1];
  for (const { file, rowStarts } of files) {
    rows += rowStarts.at(-1)!;
    for (const group of file.groups) {
      bytes += group.bytes;
      largest = Math.max(largest, group.bytes);
    }
  }
  return {
    storedBytes: bytes,
    bytesPerRow: rows === 0 ? undefined : bytes / rows,
    readaheadMax: Math.max(1, Math.floor(fileReadaheadBytesMax / (largest * decodedPerStoredByte))),
  };
}

/** Those of the rows of `piece` that survive the filter, if there is one. */
async function readGiven(reading: FileReading, piece: Segment, options: PartOptions): Promise<GivenColumns> {
  const { plan } = reading;
  const { part, from, to } = piece;
  if (plan.where !== undefined) return readSurvivors(fileFiltering(reading, plan.where, piece), from, to, options);
  const columns = await new FileReader(reading, part, piece).rows(plan.given, from, to, options);
  return { count: to - from, rows: undefined, columns };
}

/** Decoded groups are not read into memory that is taken back. */
function withoutMemory(options: PartOptions = {}): PartOptions {
  return { signal: options.signal };
}
