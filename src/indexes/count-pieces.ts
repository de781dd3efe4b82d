import { SpiralError } from '../core/errors.js';
import { keyRangeBytesMax, keyRangesMax } from '../core/limits.js';
import { countedBlocks } from '../scan/counted-shards.js';
import type { OpenScan } from '../scan/open-scan.js';
import { appended, stringAt } from '../table/byte-list.js';
import { joinPieces } from './join-pieces.js';
import type { KeyPiece, KeyPieces } from './key-pieces.js';

/** What came of counting. */
export interface CountedPieces {
  readonly pieces: KeyPieces;
  /** Parts of the scan that were counted anew; of the others nothing was read. */
  readonly counted: number;
}

/**
 * Cuts the rows that `scan` gives into ranges of about `granularity` rows, never more than twice as many: a function of the
 * scan and the granularity. Every part is cut for itself, so that what `known` tells of a part that is still the same need
 * not be counted again; then neighbours are joined.
 *
 * Memory is that of the ranges.
 *
 * @throws SpiralError `limit_exceeded` for more ranges, or longer keys, than an index holds; as the scan.
 */
export async function countPieces(
  scan: OpenScan,
  granularity: number,
  known: KeyPieces | undefined,
  signal: AbortSignal | undefined,
): Promise<CountedPieces> {
  const names = scan.partNames?.() ?? [];
  const partCount = scan.shards.reduce((most, { segments }) => Math.max(most, segments[0]!.part + 1), 0);
  const found: KeyPiece[][] = Array.from({ length: partCount }, () => []);
  const budget = new PieceBudget(scan.plan.tableName, granularity);
  const places = known === undefined ? new Map<string, Place>() : placesOf(known);
  for (const [part, name] of names.entries()) {
    const place = places.get(name);
    if (place === undefined || known === undefined || part >= partCount) continue;
    for (let at = place.from; at < place.to; at++) {
      const begin = stringAt(known.begins, at).slice();
      found[part]!.push({ part, from: known.from[at]!, to: known.to[at]!, rows: known.rows[at]!, begin });
      budget.take(begin);
    }
  }
  const unknown = scan.shards.filter(({ segments }) => found[segments[0]!.part]!.length === 0);
  for await (const piece of cutParts(scan, unknown, granularity, signal)) {
    budget.take(piece.begin);
    found[piece.part]!.push(piece);
  }
  const pieces = found.flat();
  const ends = joinPieces(
    pieces.map(({ rows }) => rows),
    granularity,
  );
  return {
    pieces: packed(pieces, ends, names, scan.shards.at(-1)?.keyRange.end ?? null),
    counted: new Set(unknown.map(({ segments }) => segments[0]!.part)).size,
  };
}

/** Pieces of `granularity` rows that survive, of each part as many as go; its last has what is left. */
async function* cutParts(
  scan: OpenScan,
  shards: OpenScan['shards'],
  granularity: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<KeyPiece, void, undefined> {
  let open: { part: number; from: number; rows: number } | undefined;
  const closed = async (to: number): Promise<KeyPiece> => {
    const { part, from, rows } = open!;
    return { part, from, to, rows, begin: await scan.keyAt(part, from) };
  };
  let end = 0;
  for await (const block of countedBlocks(scan, shards, signal)) {
    const { part, from, to, rows } = block;
    if (open !== undefined && open.part !== part) {
      yield await closed(end);
      open = undefined;
    }
    open ??= { part, from, rows: 0 };
    end = to;
    const survivors = rows?.length ?? to - from;
    let taken = 0;
    // Of a piece that is full the next survivor begins another.
    while (open.rows + survivors - taken > granularity) {
      taken += granularity - open.rows;
      open.rows = granularity;
      const row = from + (rows?.[taken] ?? taken);
      yield await closed(row);
      open = { part, from: row, rows: 0 };
    }
    open.rows += survivors - taken;
  }
  if (open !== undefined) yield await closed(end);
}

/** Pieces `from … to`, those of one part. */
interface Place {
  readonly from: number;
  to: number;
}

function placesOf({ names, parts }: KeyPieces): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const [at, part] of parts.entries()) {
    const name = names[part]!;
    if (name === '') continue;
    const place = places.get(name);
    if (place === undefined) places.set(name, { from: at, to: at + 1 });
    else place.to = at + 1;
  }
  return places;
}

function packed(
  pieces: readonly KeyPiece[],
  ends: readonly number[],
  names: readonly string[],
  end: Uint8Array | null,
): KeyPieces {
  const lastPart = pieces.at(-1)?.part ?? -1;
  return {
    names: Array.from({ length: lastPart + 1 }, (_, part) => names[part] ?? ''),
    parts: Uint32Array.from(pieces, ({ part }) => part),
    from: Float64Array.from(pieces, ({ from }) => from),
    to: Float64Array.from(pieces, ({ to }) => to),
    rows: Float64Array.from(pieces, ({ rows }) => rows),
    begins: appended(
      undefined,
      0,
      pieces.map(({ begin }) => begin),
    ),
    end: pieces.length === 0 || end === null ? new Uint8Array() : end,
    ranges: Uint32Array.from(ends),
  };
}

/** What an index may hold. */
class PieceBudget {
  readonly #table: string;
  readonly #granularity: number;
  #count = 0;
  #bytes = 0;

  constructor(table: string, granularity: number) {
    this.#table = table;
    this.#granularity = granularity;
  }

  take(key: Uint8Array): void {
    this.#count++;
    this.#bytes += key.length;
    if (this.#count <= keyRangesMax && this.#bytes <= keyRangeBytesMax) return;
    throw new SpiralError(
      'limit_exceeded',
      `Expected an index of ${this.#table} to have at most ${keyRangesMax} ranges, with ${keyRangeBytesMax} bytes of keys, got ` +
        `more at a granularity of ${this.#granularity} rows. Make an index of a larger granularity, or compact the table first where it ` +
        'was written in many small pieces.',
      { details: { table: this.#table, granularity: this.#granularity, ranges: this.#count, keyBytes: this.#bytes } },
    );
  }
}
