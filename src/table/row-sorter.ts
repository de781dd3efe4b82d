import { checkSignal } from '../core/abort.js';
import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';
import type { Column } from './column.js';
import { type FragmentForm, FragmentWriter } from './fragment-writer.js';
import { keyAt } from './key-codec.js';
import { compareKeys } from './key-compare.js';
import { type KeyRange, rangesIn } from './key-range.js';
import { mergeRuns } from './merge-runs.js';
import { NumbersFile } from './numbers-file.js';
import type { FragmentRef } from './operation.js';
import type { Run } from './run-cursor.js';
import { clustersOf, depthOf, largestSet, runsFrom } from './runs.js';
import { type ColumnSet, ColumnSets, type SortedRows } from './sorted-rows.js';
import type { KeyedTable } from './version.js';
import { type BlockPart, WriteBlock } from './write-block.js';
import type { WrittenBatch } from './write-columns.js';
import type { WriteLimits } from './write-limits.js';

/** Where rows are stored. */
export interface RowTarget {
  readonly store: ObjectStore;
  readonly table: KeyedTable;
  /** What the numbers of columns in batches mean: the key first; it may grow as batches come. */
  readonly columns: readonly Column[];
  /** The fragments that are there, beside which new ones are laid where their keys are the same. */
  readonly there: readonly KeyRange[];
}

/** What a sorter works with. */
export interface SorterWork extends RowTarget {
  readonly form: FragmentForm;
  readonly limits: WriteLimits;
}

/**
 * Sorts the rows of one write and stores them as fragments, in bounded memory. Rows are taken by the block; blocks that
 * follow one another go straight into fragments. From the first one on that does not, blocks are stored as sorted runs,
 * and at the end what crosses is merged.
 */
export class RowSorter {
  readonly #work: SorterWork;
  readonly #sets = new ColumnSets();
  /** Every file that was made and is not deleted. */
  readonly #files = new Set<string>();
  /** Fragments that blocks in key order went into; nothing crosses them unless a run does. */
  #settled: Run[] = [];
  #runs: Run[] = [];
  #block: WriteBlock | undefined;
  /** The last block that was looked at before it was full. */
  #asked: WriteBlock | undefined;
  #rows = 0;
  #last: Uint8Array | undefined;
  /** What is under way: told when the write fails. */
  readonly #writers = new Set<FragmentWriter>();
  #straight: { readonly writer: FragmentWriter; readonly firstRow: number } | undefined;

  constructor(work: SorterWork) {
    this.#work = work;
  }

  /** @throws SpiralError `invalid_key` for a null, `duplicate_key`, and what the store throws. */
  async add(batch: WrittenBatch): Promise<void> {
    this.#block ??= new WriteBlock(this.#work.table, this.#work.columns, this.#rows);
    this.#block.add(batch);
    this.#rows += batch.rows;
    const { limits } = this.#work;
    if (this.#block.bytes >= limits.block || this.#isReady(this.#block, limits.chunk)) await this.#store(false);
  }

  /** Whether `block` may be stored before memory is full, as nothing in it has to wait: asked once a block. */
  #isReady(block: WriteBlock, bytes: number): boolean {
    if (this.#asked === block || this.#runs.length > 0 || block.bytes < bytes) return false;
    this.#asked = block;
    block.sort();
    return block.inOrder && block.isUniform && this.#follows(block);
  }

  #follows(block: WriteBlock): boolean {
    return this.#last === undefined || compareKeys(this.#last, block.range.keyMin) < 0;
  }

  /** The fragments, in the order of their first keys, stored and durable. @throws as `add`. */
  async finish(): Promise<FragmentRef[]> {
    if (this.#block !== undefined) await this.#store(true);
    await this.#settle();
    const fragments = this.#runs.length === 0 ? this.#settled.map(({ fragment }) => fragment) : await this.#merged();
    return fragments.sort((a, b) => compareKeys(a.keyMin, b.keyMin));
  }

  /** Ends what is under way with `error` and deletes what was stored, as far as the store lets it. */
  async discard(error: unknown): Promise<void> {
    await Promise.all(Array.from(this.#writers, (writer) => writer.discard(error)));
    await this.#delete([...this.#files]);
  }

  async #store(isLast: boolean): Promise<void> {
    const block = this.#block!;
    this.#block = undefined;
    block.sort();
    const { range } = block;
    const firstRow = this.#rows - block.rows;
    const parts = block.parts(this.#sets);
    // Rows that were put in order have lost their numbers, which a duplicate found later must have.
    const isPlain = isLast || (block.inOrder && block.isUniform);
    if (this.#runs.length === 0 && isPlain && this.#follows(block)) {
      const there = rangesIn(this.#work.there, range);
      for (const part of parts) await this.#append(part, firstRow, there);
      this.#last = range.keyMax.slice();
      return;
    }
    await this.#settle();
    for (const part of parts) {
      this.#runs.push(...(await this.#run(part, block.inOrder && block.isUniform ? firstRow : undefined)));
    }
  }

  /** Goes on with the fragments of rows that come in order. */
  async #append({ set, rows }: BlockPart, firstRow: number, there: readonly KeyRange[]): Promise<void> {
    if (this.#straight?.writer.set !== set) {
      await this.#settle();
      this.#straight = { writer: this.#writer(set, this.#work.form), firstRow };
    }
    await this.#straight!.writer.append(rows, there);
  }

  async #settle(): Promise<void> {
    if (this.#straight === undefined) return;
    const { writer, firstRow } = this.#straight;
    this.#straight = undefined;
    this.#settled.push(...runsFrom(await this.#finished(writer), writer.set, { from: firstRow }));
  }

  /** Stores the rows as a run; `firstRow` is the number of the first, where the others follow. */
  async #run(part: BlockPart, firstRow: number | undefined): Promise<Run[]> {
    const writer = this.#writer(part.set, this.#runForm());
    await writer.append(part.rows, []);
    const fragments = await this.#finished(writer);
    if (firstRow !== undefined) return runsFrom(fragments, part.set, { from: firstRow });
    const path = this.#numbersPath();
    await this.#work.store.put(path, new Uint8Array(part.numbers().buffer), { signal: this.#work.form.signal });
    return runsFrom(fragments, part.set, { from: 0, path });
  }

  /** Merges the runs with each other and with the settled fragments that they cross. */
  async #merged(): Promise<FragmentRef[]> {
    const { limits } = this.#work;
    for (;;) {
      const chosen = largestSet(this.#runs).slice(0, limits.runs);
      if (depthOf([...this.#settled, ...this.#runs]) <= limits.runs || chosen.length < 2) break;
      const run = await this.#oneRun(chosen);
      this.#runs = [...this.#runs.filter((other) => !chosen.includes(other)), ...run];
    }
    const fragments: FragmentRef[] = [];
    const settled = new Set(this.#settled);
    let crossing: Run[] = [];
    for (const cluster of [...clustersOf([...this.#settled, ...this.#runs]), undefined]) {
      const [first] = cluster ?? [];
      const isApart = cluster?.length === 1 && settled.has(first!);
      if (cluster !== undefined && !isApart) {
        crossing.push(...cluster);
        continue;
      }
      if (crossing.length > 0) fragments.push(...(await this.#put(crossing)));
      crossing = [];
      if (isApart) fragments.push(first!.fragment);
    }
    return fragments;
  }

  /** Fragments of the rows of all `runs`. */
  async #put(runs: readonly Run[]): Promise<FragmentRef[]> {
    const writers = new Map<ColumnSet, FragmentWriter>();
    await this.#merge(runs, async (set, rows) => {
      let writer = writers.get(set);
      if (writer === undefined) writers.set(set, (writer = this.#writer(set, this.#work.form)));
      const { keys } = rows;
      const range = { keyMin: keyAt(keys, 0), keyMax: keyAt(keys, keys.length - 1) };
      await writer.append(rows, rangesIn(this.#work.there, range));
    });
    const fragments: FragmentRef[] = [];
    for (const writer of writers.values()) fragments.push(...(await this.#finished(writer)));
    await this.#deleteRuns(runs);
    return fragments;
  }

  /** One run of the rows of `runs`, all of one set of columns: to merge fewer at once later. */
  async #oneRun(runs: readonly Run[]): Promise<Run[]> {
    const { set } = runs[0]!;
    const writer = this.#writer(set, this.#runForm());
    const path = this.#numbersPath();
    const file = new NumbersFile(this.#work.store, path, this.#work.form.signal);
    try {
      await this.#merge(runs, async (_, rows, numbers) => {
        await writer.append(rows, []);
        await file.add(await numbers());
      });
    } catch (error) {
      await file.fail(error);
      throw error;
    }
    await file.end();
    const merged = runsFrom(await this.#finished(writer), set, { from: 0, path });
    await this.#deleteRuns(runs);
    return merged;
  }

  #merge(
    runs: readonly Run[],
    take: (set: ColumnSet, rows: SortedRows, numbers: () => Promise<Float64Array>) => Promise<void>,
  ): Promise<void> {
    const { store, table, columns, limits, form } = this.#work;
    return mergeRuns(runs, { store, table, columns, chunkBytes: limits.chunk, signal: form.signal, take });
  }

  #writer(set: ColumnSet, form: FragmentForm): FragmentWriter {
    checkSignal(form.signal, `The write to ${this.#work.table.name}`);
    const { store, columns, table } = this.#work;
    const writer = new FragmentWriter(store, columns, table.keyTypes.length, set, form, (path) =>
      this.#files.add(path),
    );
    this.#writers.add(writer);
    return writer;
  }

  async #finished(writer: FragmentWriter): Promise<FragmentRef[]> {
    const fragments = await writer.finish();
    this.#writers.delete(writer);
    return fragments;
  }

  /** Runs are read in small batches, so that many are merged at once, and are gone soon. */
  #runForm(): FragmentForm {
    const { form, limits } = this.#work;
    return {
      batchRows: undefined,
      batchRowsMax: 2 ** 24,
      batchBytes: limits.runBatch,
      fragmentBytes: Number.POSITIVE_INFINITY,
      compression: undefined,
      signal: form.signal,
    };
  }

  #numbersPath(): string {
    const path = `data/${uniqueId('')}.rows`;
    this.#files.add(path);
    return path;
  }

  async #deleteRuns(runs: readonly Run[]): Promise<void> {
    await this.#delete(
      runs.flatMap(({ fragment, numbers }) => [
        ...fragment.files.map(({ path }) => path),
        ...(numbers.path === undefined ? [] : [numbers.path]),
      ]),
    );
  }

  /** What cannot be deleted is an orphan, which nobody sees. */
  async #delete(paths: readonly string[]): Promise<void> {
    for (const path of new Set(paths)) {
      await this.#work.store.delete(path).catch(() => {});
      this.#files.delete(path);
    }
  }
}
