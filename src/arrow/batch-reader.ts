import { type RecordBatch, type Schema, Table } from 'apache-arrow';
import { batchRows } from './rows.js';

/** What a stream of record batches is read from. */
export interface BatchOrigin {
  readonly schema: Schema;
  /** One pass over the batches; leaving it early must release what it holds. */
  open(signal: AbortSignal): AsyncIterator<RecordBatch>;
}

/**
 * A stream of record batches: read once, by one consumer. Leaving the loop closes it.
 *
 * ```ts
 * await using batches = scan.toRecordBatches();
 * for await (const batch of batches) console.log(batch.numRows);
 * ```
 */
export class BatchReader implements AsyncIterable<RecordBatch>, AsyncDisposable {
  readonly schema: Schema;
  readonly #batches: AsyncIterator<RecordBatch>;
  readonly #abort = new AbortController();

  constructor(origin: BatchOrigin) {
    this.schema = origin.schema;
    this.#batches = origin.open(this.#abort.signal);
  }

  [Symbol.asyncIterator](): AsyncIterator<RecordBatch> {
    return {
      next: () => this.#batches.next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** All that is left, as one Arrow table. */
  async toTable(): Promise<Table> {
    const batches: RecordBatch[] = [];
    for await (const batch of this) batches.push(batch);
    return new Table(this.schema, batches);
  }

  /** All that is left, as objects: an object a row, see `batchRows` for the values of each type. */
  async toRows(): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    for await (const batch of this) for (const row of batchRows(batch)) rows.push(row);
    return rows;
  }

  /** The same as a web stream, which reads as its consumer asks. */
  toReadableStream(): ReadableStream<RecordBatch> {
    return new ReadableStream<RecordBatch>(
      {
        pull: async (controller) => {
          const { done, value } = await this.#batches.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends the stream and releases what it holds. A second call does nothing. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#batches.return?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
