import type { Data, Schema } from 'apache-arrow';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { mdsBlockBytes, mdsBlockSamples, mdsBlocksMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { corrupt } from './corrupt.js';
import { type MdsShard, parseMdsIndex } from './mds-index.js';
import { ShardFiles } from './mds-shard-bytes.js';
import { MdsShards } from './mds-shards.js';
import { textTypes } from './mds-text.js';
import type { GroupOptions, RowFile, RowFileFormat, RowFileOptions, RowGroup } from './row-file.js';

/** How shards are read. */
export interface MdsSettings {
  /**
   * The hash by which every shard file is checked as a whole before anything of it is used. Default: compressed files are
   * checked by the cheapest hash that the index has, plain ones by their size and structure.
   */
  readonly validateHash?: string | undefined;
  /**
   * Whether `int` columns of JSON, CSV, TSV and XSV shards, which may have any number of digits, are read as text. Default
   * false: as int64, and a number that is too large for it is refused where it is read.
   */
  readonly intsAsText?: boolean | undefined;
}

/**
 * Data sets of MosaicML Streaming (MDS), named by their `index.json`: a row is a sample, in the order of the index. Groups
 * are blocks of samples of one shard; only the index is read when the file is opened. `docs/mds.md` has the types.
 */
export function mdsFormat(settings: MdsSettings = {}): RowFileFormat {
  return { open: (store, path, size, options) => openMds(settings, store, path, size, options) };
}

async function openMds(
  settings: MdsSettings,
  store: ObjectStore,
  path: string,
  size: number,
  { signal, counters }: RowFileOptions,
): Promise<RowFile> {
  const where = `${store.uri}/${path}`;
  const bytes = await store.get(path, { signal });
  if (bytes.length !== size) throw corrupt(where, `${size} bytes`, `${bytes.length}`);
  if (counters !== undefined) {
    counters.bytes += bytes.length;
    counters.requests++;
  }
  const shards = parseMdsIndex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'), where);
  const files = new ShardFiles(store, path.slice(0, path.lastIndexOf('/') + 1), settings.validateHash);
  return new MdsDataset(where, new MdsShards(shards, textTypes(settings.intsAsText === true), where), files);
}

/** Samples `from … to` of a shard. */
interface Block {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

class MdsDataset implements RowFile {
  readonly schema: Schema;
  readonly groups: readonly RowGroup[];
  readonly #where: string;
  readonly #shards: MdsShards;
  readonly #files: ShardFiles;
  readonly #blocks: readonly Block[];

  constructor(where: string, shards: MdsShards, files: ShardFiles) {
    this.#where = where;
    this.#shards = shards;
    this.#files = files;
    this.schema = shards.schema;
    const blocks = shards.shards.reduce((sum, shard) => sum + blockCount(shard), 0);
    if (blocks > mdsBlocksMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected ${where} to be read in at most ${mdsBlocksMax} blocks, found shards for ${blocks}. Merge the indexes of parts of it, ` +
          'and read these apart.',
        { details: { file: where, blocks, max: mdsBlocksMax } },
      );
    }
    this.#blocks = shards.shards.flatMap(blocksOf);
    this.groups = this.#blocks.map(({ shard, from, to }) => {
      const { samples, rawData } = shards.shards[shard]!;
      const bytes = Math.ceil((rawData.bytes * (to - from)) / samples);
      return { rows: to - from, bytes, ...(from === 0 ? { beginsShard: true } : {}) };
    });
  }

  readGroup(group: number, columns: readonly number[], options: GroupOptions = {}): Promise<Data[]> {
    return this.readRows(group, 0, this.groups[group]!.rows, columns, options);
  }

  async readRows(
    group: number,
    from: number,
    to: number,
    wanted: readonly number[],
    options: GroupOptions = {},
  ): Promise<Data[]> {
    const block = this.#blocks[group]!;
    const [first, last] = [block.from + from, block.from + to];
    try {
      return await this.#shards.read(this.#files, { shard: block.shard, first, last, wanted, group }, options);
    } catch (error) {
      if (!isSpiralError(error, 'corrupt_file') || error.details['group'] !== undefined) throw error;
      throw new SpiralError('corrupt_file', error.message, {
        details: { ...error.details, group, index: this.#where },
        cause: error,
      });
    }
  }
}

/** Samples of a block of a shard. */
function blockSamples({ samples, rawData }: MdsShard): number {
  const fit = Math.floor(mdsBlockBytes / Math.max(1, rawData.bytes / Math.max(1, samples)));
  return Math.max(1, Math.min(mdsBlockSamples, fit));
}

function blockCount(shard: MdsShard): number {
  return Math.ceil(shard.samples / blockSamples(shard));
}

function blocksOf(info: MdsShard, shard: number): Block[] {
  const [{ samples }, step] = [info, blockSamples(info)];
  return Array.from({ length: blockCount(info) }, (_, at) => {
    return { shard, from: at * step, to: Math.min(samples, (at + 1) * step) };
  });
}
