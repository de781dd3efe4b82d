import type { Data, RecordBatch } from 'apache-arrow';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { batchBytesMax, partitionBytesMax, writeMemoryBytesMax } from '../core/limits.js';
import { ArrowFile } from '../format/arrow-file.js';
import type { Compression } from '../format/codec.js';
import type { ObjectStore } from '../storage/store.js';
import { pathText } from './column.js';
import { type PlannedRewrite, planCompaction } from './compaction-plan.js';
import { leavesOf } from './leaves.js';
import type { CompactOperation, FragmentRef, FragmentRewrite } from './operation.js';
import { storeRows } from './store-rows.js';
import type { TableStore } from './table-store.js';
import { keyedTable, type TableVersion } from './version.js';
import type { WrittenBatch } from './write-columns.js';
import { writeLimits } from './write-limits.js';

/** What a compaction did. */
export interface CompactResult {
  /** Fragments before and after, of all the table's. */
  readonly fragmentsBefore: number;
  readonly fragmentsAfter: number;
  /** Bytes of the files that it wrote. */
  readonly bytesWritten: number;
}

/** How a compaction reads and writes. */
export interface Compaction {
  /** All rows of a version, sorted by key, with its columns. */
  readonly rows: (version: TableVersion) => AsyncIterable<RecordBatch>;
  /** Bytes of a fragment; smaller ones are joined. Default 128 MiB. */
  readonly targetBytes?: number | undefined;
}

/** Bytes of files after which what was done is committed, so that a conflict or a crash loses no more. */
const commitBytes = 8 * partitionBytesMax;
/** Bytes of rows that are handed on at a time: they come in key order, so more would gain nothing. */
const heldBytes = 4 * batchBytesMax;

/**
 * Rewrites fragments of the newest version of `table` as {@link planCompaction} has it, in one commit or several. No
 * version's rows change; fragments written meanwhile stay as they are.
 *
 * @throws SpiralError `write_conflict` where another compaction replaced one of the fragments first: what was committed
 * before holds, and the files of the rest are deleted.
 */
export async function compactTable(table: TableStore, compaction: Compaction): Promise<CompactResult> {
  const version = await table.latest();
  const result = {
    fragmentsBefore: version.fragments.length,
    fragmentsAfter: version.fragments.length,
    bytesWritten: 0,
  };
  let pending = new PendingCompaction(table);
  for (const planned of planCompaction(version, compaction.targetBytes)) {
    await pending.add(planned, version, compaction);
    if (pending.bytes < commitBytes) continue;
    await pending.commit(result);
    pending = new PendingCompaction(table);
  }
  await pending.commit(result);
  return result;
}

/** Rewrites that are written, and not committed yet. */
class PendingCompaction {
  bytes = 0;
  readonly #table: TableStore;
  readonly #ids: number[] = [];
  readonly #rewrites: FragmentRewrite[] = [];
  readonly #written: { readonly path: string; readonly bytes: number }[] = [];

  constructor(table: TableStore) {
    this.#table = table;
  }

  async add(planned: PlannedRewrite, version: TableVersion, compaction: Compaction): Promise<void> {
    const rewriting = { table: this.#table, version, planned, compaction };
    try {
      const fragments = planned.reused.length > 0 ? [await this.#beside(rewriting)] : await this.#write(rewriting, []);
      const replaced = planned.inputs.map(({ commit, ordinal }) => ({ commit, ordinal }));
      this.#rewrites.push({ replaced, fragments });
      this.bytes += planned.bytes;
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  async commit(result: { fragmentsAfter: number; bytesWritten: number }): Promise<void> {
    if (this.#rewrites.length === 0) return;
    const operation: CompactOperation = { kind: 'compact', columns: this.#ids, rewrites: this.#rewrites };
    try {
      await this.#table.commit([operation]);
    } catch (error) {
      // After any other failure the commit may be there; if it is not, vacuum finds the files.
      if (isSpiralError(error, 'write_conflict')) await this.#discard();
      throw error;
    }
    for (const { bytes } of this.#written) result.bytesWritten += bytes;
    for (const { replaced, fragments } of this.#rewrites) result.fragmentsAfter += fragments.length - replaced.length;
  }

  /** One fragment over the keys of all inputs: column groups that were spread, written anew, beside files that stay. */
  async #beside(rewriting: Rewriting): Promise<FragmentRef> {
    const { table, version, planned } = rewriting;
    const keyCount = version.keys.length;
    const reused = planned.reused.map(({ path, bytes, columns }) => ({ path, bytes, columns: this.#indices(columns) }));
    const keyFile = planned.reused.findIndex(({ columns }) => columns.includes(version.keys[0]!.id));
    // Merging reads keys by the batches that the fragment tells of: they must be those of the file that has the keys.
    const { path: keyPath } = planned.reused[keyFile] ?? planned.inputs[0]!.files[0]!;
    const owner = planned.inputs.find(({ files }) => files.some(({ path }) => path === keyPath))!;
    const { rows, batchRows, keyMin, keyMax, batchKeys, keyDigest } = owner;
    const keysFirst = keyFile < 0 ? reused : [reused[keyFile]!, ...reused.filter((_, at) => at !== keyFile)];
    if (planned.columns.length === keyCount) {
      const [keys] = owner.files;
      const key = { path: keys!.path, bytes: keys!.bytes, columns: this.#indices(keys!.columns) };
      const files = keyFile < 0 ? [key, ...reused] : keysFirst;
      return { rows, batchRows, keyMin, keyMax, batchKeys, keyDigest, files };
    }
    const written = await this.#write(rewriting, [owner], { batchRows });
    if (written.length !== 1) {
      throw new SpiralError('internal', `Expected one fragment over the keys of ${planned.inputs.length}, wrote more.`);
    }
    const [fragment] = written;
    if (keyFile < 0) return { ...fragment!, files: [...fragment!.files, ...reused] };
    const [keysOnly, ...groups] = fragment!.files;
    await table.store.delete(keysOnly!.path);
    return { ...fragment!, files: [keysFirst[0]!, ...groups, ...keysFirst.slice(1)] };
  }

  /**
   * Stores the rows of all inputs as new fragments, as many as their bytes ask for, and one over the keys of each of
   * `there`.
   */
  async #write(
    { table, version, planned, compaction }: Rewriting,
    there: readonly FragmentRef[],
    form: { readonly batchRows?: number } = {},
  ): Promise<FragmentRef[]> {
    const { columns } = planned;
    const numbers = columns.map((_, at) => at);
    const places = new Map(columns.map(({ path }, at) => [pathText(path), at]));
    async function* batches(): AsyncGenerator<WrittenBatch, void> {
      for await (const batch of compaction.rows(restricted(version, planned))) {
        const data: Data[] = [];
        for (const leaf of leavesOf(batch, table.name, false)) data[places.get(pathText(leaf.path))!] = leaf.data;
        yield { rows: batch.numRows, columns: numbers, data };
      }
    }
    const target = { store: table.store, table: keyedTable(version, table.name), columns, there };
    const settings = { ...form, ...(await storedLike(table.store, planned)) };
    const fragment = compaction.targetBytes ?? partitionBytesMax;
    const limits = { ...writeLimits(writeMemoryBytesMax), block: heldBytes, fragment };
    const fragments = await storeRows(target, batches(), settings, limits);
    return fragments.map((stored) => {
      const files = stored.files.map((file) => {
        this.#written.push({ path: file.path, bytes: file.bytes });
        return { ...file, columns: this.#indices(file.columns.map((at) => columns[at]!.id)) };
      });
      return { ...stored, files };
    });
  }

  /** The places of columns among those of the operation. */
  #indices(ids: readonly number[]): number[] {
    return ids.map((id) => {
      const at = this.#ids.indexOf(id);
      return at >= 0 ? at : this.#ids.push(id) - 1;
    });
  }

  /** Deletes what was written, as far as the store allows: vacuum finds the rest. */
  async #discard(): Promise<void> {
    for (const { path } of this.#written) await this.#table.store.delete(path).catch(() => undefined);
  }
}

interface Rewriting {
  readonly table: TableStore;
  readonly version: TableVersion;
  readonly planned: PlannedRewrite;
  readonly compaction: Compaction;
}

/** `version` with nothing but what a rewrite reads. */
function restricted(version: TableVersion, { inputs, columns }: PlannedRewrite): TableVersion {
  return { ...version, columns, fragments: inputs };
}

/** Compressed as the largest file that is rewritten. */
async function storedLike(store: ObjectStore, { inputs }: PlannedRewrite): Promise<{ compression: Compression }> {
  const files = inputs.flatMap((fragment) => fragment.files);
  const largest = files.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const { index } = await ArrowFile.open(store, largest.path, largest.bytes);
  return { compression: index.compression };
}
