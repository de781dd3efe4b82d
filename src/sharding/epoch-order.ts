import { permutation, randomStream, type StreamLabel } from '../core/random.js';
import { type Chunks, cutChunks } from './chunks.js';
import { Lanes } from './lanes.js';
import type { Piece } from './piece.js';

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
  /** Rows that the epoch gives, where not all: the pieces' first so many, or these over and over. */
  readonly length?: number;
  /** Changes of world that the epoch has seen. Default 0. */
  readonly worldChanges?: number;
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
 * With one lane and no chunk size windows end where pieces end: the reference's shuffle within a shard. An epoch that is
 * longer than its pieces goes round them in laps, in the same order each; no window crosses the end of a lap.
 */
export class EpochOrder {
  readonly chunks: Chunks;
  readonly lanes: Lanes;
  readonly #settings: OrderSettings;
  readonly #perPiece: boolean;

  constructor(pieces: readonly Piece[], settings: OrderSettings) {
    const { seed, epoch, rank, worldSize, lanes, chunkRows } = settings;
    this.#settings = settings;
    this.#perPiece = lanes === 1 && chunkRows === undefined;
    this.chunks = cutChunks(pieces, lanes, chunkRows, this.#named([seed, epoch, rank, worldSize]));
    this.lanes = new Lanes(this.chunks);
  }

  /** Physical rows of the epoch. */
  get rows(): number {
    return this.#settings.length ?? this.lanes.rows;
  }

  /** Whether windows are permuted at all. */
  get shuffles(): boolean {
    return this.#settings.bufferRows > 1;
  }

  /** The window that begins at `start`: 0, or where another window ended. */
  windowFrom(start: number): WindowSpan {
    const lap = this.#lap(start);
    const within = start - lap.start;
    if (!this.shuffles) {
      const end = Math.min(lap.rows, (Math.floor(within / plainWindowRows) + 1) * plainWindowRows);
      return { start, limit: lap.start + end, quota: end - within };
    }
    const { begin, end } = this.#stretch(within, lap.rows);
    const quota = within === begin ? this.#firstQuota(begin, end) : this.#settings.bufferRows;
    return { start, limit: lap.start + end, quota };
  }

  /** The window that holds `position`, where no filter drops rows: windows then lie where arithmetic puts them. */
  windowAt(position: number): WindowSpan & { readonly end: number } {
    const lap = this.#lap(position);
    const within = position - lap.start;
    let start: number;
    if (this.shuffles) {
      const { begin, end } = this.#stretch(within, lap.rows);
      const first = begin + this.#firstQuota(begin, end);
      const size = this.#settings.bufferRows;
      start = within < first ? begin : first + Math.floor((within - first) / size) * size;
    } else {
      start = Math.floor(within / plainWindowRows) * plainWindowRows;
    }
    const span = this.windowFrom(lap.start + start);
    return { ...span, end: Math.min(span.limit, span.start + span.quota) };
  }

  /** In which order the `length` rows of the window at `start` are given; undefined: as they come. */
  permutationOf(start: number, length: number): Uint32Array | undefined {
    if (!this.shuffles || length < 2) return undefined;
    return permutation(length, randomStream('window', ...this.#labels(start - this.#lap(start).start)));
  }

  /**
   * Writes, for the positions `start … end`, the chunk of each and its row, counted from the chunk's first one in its
   * shard, into `chunk` and `row` from index 0 on.
   */
  locate(start: number, end: number, chunk: Int32Array, row: Int32Array): void {
    for (let position = start; position < end; ) {
      const lap = this.#lap(position);
      const stop = Math.min(end, lap.start + this.lanes.rows);
      const at = position - start;
      this.lanes.locate(position - lap.start, stop - lap.start, chunk.subarray(at), row.subarray(at));
      position = stop;
    }
    const { picks } = this.chunks;
    if (picks.size === 0) return;
    for (let at = 0; at < end - start; at++) row[at] = picks.get(chunk[at]!)?.[row[at]!] ?? row[at]!;
  }

  /** Whether neighbours in the stream are neighbours in their chunk, so that {@link runs} tells where rows lie. */
  get contiguous(): boolean {
    return this.chunks.lanes === 1 && this.chunks.picks.size === 0;
  }

  /** What {@link locate} tells, in runs of neighbours: `rows` rows of `chunk` from its row `row` on. Only if `contiguous`. */
  runs(start: number, end: number): { chunk: number; row: number; rows: number }[] {
    const found: { chunk: number; row: number; rows: number }[] = [];
    for (let position = start; position < end; ) {
      const within = position - this.#lap(position).start;
      // With one lane each group of chunks is one chunk.
      const chunk = this.lanes.groupAt(within);
      const row = within - this.chunks.groupStart[chunk]!;
      const rows = Math.min(end - position, this.chunks.rows[chunk]! - row);
      found.push({ chunk, row, rows });
      position += rows;
    }
    return found;
  }

  /** The shard and physical row of sample `position` of the epoch, where no filter drops rows. */
  sampleAt(position: number): { shard: number; row: number } {
    const { shards, rows } = this.samples(position, position + 1);
    return { shard: shards[0]!, row: rows[0]! };
  }

  /** The shards and physical rows of the samples `start … end`, where no filter drops rows. */
  samples(start: number, end: number): { shards: Uint32Array; rows: Float64Array } {
    const shards = new Uint32Array(end - start);
    const rows = new Float64Array(end - start);
    const chunk = new Int32Array(1);
    const row = new Int32Array(1);
    for (let position = start; position < end; ) {
      const window = this.windowAt(position);
      const order = this.permutationOf(window.start, window.end - window.start);
      const stop = Math.min(end, window.end);
      for (; position < stop; position++) {
        const drawn = window.start + (order?.[position - window.start] ?? position - window.start);
        this.locate(drawn, drawn + 1, chunk, row);
        shards[position - start] = this.chunks.shard[chunk[0]!]!;
        rows[position - start] = this.chunks.from[chunk[0]!]! + row[0]!;
      }
    }
    return { shards, rows };
  }

  /** The lap that `position` lies in: where it starts, and its rows. */
  #lap(position: number): { start: number; rows: number } {
    const own = this.lanes.rows;
    const start = own === 0 ? 0 : Math.floor(position / own) * own;
    return { start, rows: Math.min(own, this.rows - start) };
  }

  /** The part of a lap that windows around `position` do not cross: a piece, or all of it. */
  #stretch(position: number, lapRows: number): { begin: number; end: number } {
    if (!this.#perPiece) return { begin: 0, end: lapRows };
    const group = this.lanes.groupAt(position);
    return { begin: this.chunks.groupStart[group]!, end: Math.min(lapRows, this.chunks.groupStart[group + 1]!) };
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
    if (!this.#perPiece) return this.#named([seed, epoch, rank, worldSize, start]);
    const group = this.lanes.groupAt(start);
    const within = start - this.chunks.groupStart[group]!;
    const row = this.chunks.from[group]! + (this.chunks.picks.get(group)?.[within] ?? within);
    return this.#named([seed, epoch, this.chunks.shard[group]!, row]);
  }

  /** Names of their own for each world of an epoch: what is left to another world meets no stream again. */
  #named(labels: StreamLabel[]): StreamLabel[] {
    const { worldChanges = 0 } = this.#settings;
    return worldChanges === 0 ? labels : [...labels, 'world', worldChanges];
  }
}
