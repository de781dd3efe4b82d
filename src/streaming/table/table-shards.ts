import type { RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch } from '../../arrow/gather.js';
import { allRanges } from '../../arrow/ranges.js';
import { sliceBatch } from '../../arrow/record-batch.js';
import { sameType } from '../../arrow/schema.js';
import { checkSignal } from '../../core/abort.js';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { readConcurrency } from '../../core/limits.js';
import { ArrowFile } from '../../format/arrow-file.js';
import { readRows } from '../../format/arrow-read.js';
import { ArrowFileWriter } from '../../format/arrow-writer.js';
import { corrupt } from '../../format/corrupt.js';
import { encodedFile, type FileEncoder } from '../../format/file-encoder.js';
import type { OpenSource } from '../../loader/source.js';
import type { Shard } from '../../sharding/shard.js';
import type { ObjectStore } from '../../storage/store.js';
import type { Fetching, ShardSource } from '../cache/shard-source.js';

/** More than any shard takes: how long rows are is not known before they are read. */
const shardBytesMax = 2 ** 40;

/** Rows of a table as files: an Arrow file a shard, in record batches of `blockRows` rows. */
export class TableShards implements ShardSource {
  readonly identity: string;
  readonly count: number;
  readonly #source: OpenSource;
  readonly #shards: readonly Shard[];
  readonly #blockRows: number;

  constructor(source: OpenSource, shards: readonly Shard[], blockRows: number, identity: string) {
    this.#source = source;
    this.#shards = shards;
    this.#blockRows = blockRows;
    this.identity = identity;
    this.count = shards.length;
  }

  bytesOf(): number {
    return shardBytesMax;
  }

  /** The file of a shard, below the folder. */
  file(shard: number): string {
    return `shard-${String(shard).padStart(8, '0')}.arrow`;
  }

  names(shard: number): readonly string[] {
    return [this.file(shard)];
  }

  async fetch(shard: number, into: ObjectStore, { signal }: Fetching): Promise<void> {
    const { cardinality } = this.#shards[shard]!;
    const writer = await ArrowFileWriter.create(this.#source.schema);
    let rows = 0;
    const encoder: FileEncoder = {
      start: () => writer.start(),
      batch: (batch) => {
        rows += batch.numRows;
        return writer.batch(batch);
      },
      finish: () => {
        if (rows === cardinality) return writer.finish().chunks;
        throw new SpiralError(
          'internal',
          `Expected shard ${shard} to have ${cardinality} rows, as it was counted, found ${rows}.`,
          {
            details: { shard, expected: cardinality, found: rows },
          },
        );
      },
    };
    await into.put(this.file(shard), encodedFile(encoder, this.#blocks(shard, signal)), { signal });
  }

  async check(shard: number, files: ObjectStore, signal: AbortSignal): Promise<void> {
    const file = await this.open(shard, files);
    const columns = file.schema.fields.map((_, column) => column);
    for (const [batch, { rows }] of file.index.batches.entries()) {
      await readRows(file, batch, 0, rows, { columns, verify: 'always', signal });
    }
    for (const column of file.index.dictionaries.keys()) await file.dictionary(column);
  }

  /** The file of a shard, opened. @throws SpiralError `corrupt_file` for anything but one that `fetch` wrote. */
  async open(shard: number, files: ObjectStore): Promise<ArrowFile> {
    const path = this.file(shard);
    const where = `${files.uri}/${path}`;
    let file: ArrowFile;
    try {
      file = await ArrowFile.open(files, path);
    } catch (error) {
      if (!isSpiralError(error, 'unsupported')) throw error;
      throw corrupt(where, 'the rows of a shard', 'a file that no stream wrote', error);
    }
    const { cardinality } = this.#shards[shard]!;
    if (file.rows !== cardinality) throw corrupt(where, `${cardinality} rows`, `${file.rows}`);
    const own = this.#source.schema.fields;
    const found = file.schema.fields;
    const same = own.length === found.length && own.every(({ name, type }, at) => isColumn(found[at]!, name, type));
    if (!same) throw corrupt(where, 'the columns of the stream', found.map(({ name }) => name).join(', '));
    return file;
  }

  /** The rows of a shard as the record batches of its file. */
  async *#blocks(shard: number, signal: AbortSignal): AsyncGenerator<RecordBatch, void, undefined> {
    let open: RecordBatch[] = [];
    let rows = 0;
    for await (const batch of this.#batches(this.#shards[shard]!, signal)) {
      for (let from = 0; from < batch.numRows; ) {
        const taken = Math.min(batch.numRows - from, this.#blockRows - rows);
        open.push(taken === batch.numRows ? batch : sliceBatch(batch, from, taken));
        from += taken;
        rows += taken;
        if (rows < this.#blockRows) continue;
        yield this.#joined(open);
        [open, rows] = [[], 0];
      }
    }
    if (rows > 0) yield this.#joined(open);
  }

  #joined(batches: readonly RecordBatch[]): RecordBatch {
    if (batches.length === 1) return batches[0]!;
    const { schema } = this.#source;
    return gatherBatch(schema, batchSources(schema, batches), allRanges(batches.map(({ numRows }) => numRows)));
  }

  /** The rows of a shard as they are stored, a few batches read ahead. */
  async *#batches(shard: Shard, signal: AbortSignal): AsyncGenerator<RecordBatch, void, undefined> {
    const ahead: Promise<{ readonly batch: RecordBatch }>[] = [];
    for (let from = 0; from < shard.physicalRows || ahead.length > 0; ) {
      checkSignal(signal, 'Fetching a shard of a table');
      while (from < shard.physicalRows && ahead.length < readConcurrency) {
        const to = this.#source.blockEnd(shard, from);
        const read = this.#source.readBlock(shard, from, to, signal);
        // An error is met again, and thrown, when its turn comes.
        read.catch(() => {});
        ahead.push(read);
        from = to;
      }
      const { batch } = await ahead.shift()!;
      if (batch.numRows > 0) yield batch;
    }
  }
}

function isColumn(
  field: { readonly name: string; readonly type: Parameters<typeof sameType>[0] },
  name: string,
  type: Parameters<typeof sameType>[0],
): boolean {
  return field.name === name && sameType(field.type, type);
}
