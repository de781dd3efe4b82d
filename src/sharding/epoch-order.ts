import { permutation, randomStream, type StreamLabel } from '../core/random.js';
import { type Chunks, cutChunks, type Piece } from './chunks.js';
import { Lanes } from './lanes.js';

/** What the order of an epoch follows from, besides the pieces themselves. */
export interface OrderSettings {
  readonly seed: number;
  readonly epoch: number;
  readonly rank: number;
  readonly worldSize: number;
  /** Rows of a window; 0 and 1 shuffle nothing. */
  readonly bufferRows: number;
  /** Chunks read in turn, at least 1. */
  readonly lanes: number;
  /** Physical rows of a chunk; undefined: each piece is one chunk, in the pieces' order. */
  readonly chunkRows: number | undefined;
}

/** A stretch of the stream that is permuted as one, `quota` rows (survivors of the filter) of it at most. */
export interface WindowSpan {
  /** Stream position of the first row. */
  readonly start: number;
  /** No row at or behind this position belongs to the window. */
  readonly limit: number;
  readonly quota: number;
}

/** Rows of a window where nothing is shuffled: just the unit of reading ahead. */
export const plainWindowRows = 8192;

/**
 * The order of one rank's rows in one epoch, as arithmetic (laws 1 to 4a): rows are in chunks, chunks are read in lanes,
 * and the stream of rows that gives is cut into windows, each permuted by a stream of its own. Nothing here reads data,
 * so any sample of any epoch is found without reading those before it.
 *
 * With one lane and no chunk size windows end where pieces end: the reference's shuffle within a shard.
 */
export class EpochOrder {
  readonly chunks: Chunks;
  readonly #settings: OrderSettings;
  readonly #lanes: Lanes;
  readonly #perPiece: boolean;

  constructor(pieces: readonly Piece[], settings: OrderSettings) {
    const { seed, epoch, rank, worldSize, lanes, chunkRows } = settings;
    this.#settings = settings;
    this.#perPiece = lanes === 1 && chunkRows === undefined;
    this.chunks = cutChunks(pieces, lanes, chunkRows, [seed, epoch, rank, worldSize]);
    this.#lanes = new Lanes(this.chunks);
  }

  /** Physical rows of the epoch. */
  get rows(): number {
    return this.#lanes.rows;
  }

  /** Whether windows are permuted at all. */
  get shuffles(): boolean {
    return this.#settings.bufferRows > 1;
  }

  /** The window that begins at `start`: 0, or where another window ended. */
  windowFrom(start: number): WindowSpan {
    if (!this.shuffles) {
      const end = Math.min(this.rows, (Math.floor(start / plainWindowRows) + 1) * plainWindowRows);
      return { start, limit: end, quota: end - start };
    }
    const { begin, end } = this.#stretch(start);
    const size = this.#settings.bufferRows;
    return { start, limit: end, quota: start === begin ? this.#firstQuota(begin, end) : size };
  }

  /** The window that holds `position`, where no filter drops rows: windows then lie where arithmetic puts them. */
  windowAt(position: number): WindowSpan & { readonly end: number } {
    let start = position;
    if (this.shuffles) {
      const { begin, end } = this.#stretch(position);
      const first = begin + this.#firstQuota(begin, end);
      const size = this.#settings.bufferRows;
      start = position < first ? begin : first + Math.floor((position - first) / size) * size;
    } else {
      start = Math.floor(position / plainWindowRows) * plainWindowRows;
    }
    const span = this.windowFrom(start);
    return { ...span, end: Math.min(span.limit, start + span.quota) };
  }

  /** In which order the `length` rows of the window at `start` are given; undefined: as they come. */
  permutationOf(start: number, length: number): Uint32Array | undefined {
    if (!this.shuffles || length < 2) return undefined;
    return permutation(length, randomStream('window', ...this.#labels(start)));
  }

  /** See {@link Lanes.locate}. */
  locate(start: number, end: number, chunk: Int32Array, row: Int32Array): void {
    this.#lanes.locate(start, end, chunk, row);
  }

  /** The shard and physical row of sample `position` of the epoch, where no filter drops rows. */
  sampleAt(position: number): { shard: number; row: number } {
    const window = this.windowAt(position);
    const order = this.permutationOf(window.start, window.end - window.start);
    const drawn = window.start + (order?.[position - window.start] ?? position - window.start);
    const chunk = new Int32Array(1);
    const row = new Int32Array(1);
    this.#lanes.locate(drawn, drawn + 1, chunk, row);
    return { shard: this.chunks.shard[chunk[0]!]!, row: this.chunks.from[chunk[0]!]! + row[0]! };
  }

  /** The part of the stream that windows around `position` do not cross: a piece, or all of it. */
  #stretch(position: number): { begin: number; end: number } {
    if (!this.#perPiece) return { begin: 0, end: this.rows };
    const group = this.#lanes.groupAt(position);
    return { begin: this.chunks.groupStart[group]!, end: this.chunks.groupStart[group + 1]! };
  }

  /**
   * Rows of a stretch's first window: shortened by a stagger, so that from epoch to epoch rows meet across other
   * borders; whole where one window holds the stretch.
   */
  #firstQuota(begin: number, end: number): number {
    const size = this.#settings.bufferRows;
    if (end - begin <= size) return size;
    return size - randomStream('stagger', ...this.#labels(begin)).below(size);
  }

  /**
   * What names the random streams at `start`. Where windows stay within a piece they are named by its rows, so that a
   * shard's order is the same whichever rank reads it.
   */
  #labels(start: number): StreamLabel[] {
    const { seed, epoch, rank, worldSize } = this.#settings;
    if (!this.#perPiece) return [seed, epoch, rank, worldSize, start];
    const group = this.#lanes.groupAt(start);
    const within = start - this.chunks.groupStart[group]!;
    return [seed, epoch, this.chunks.shard[group]!, this.chunks.from[group]! + within];
  }
}
