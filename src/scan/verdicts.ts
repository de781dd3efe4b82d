import { stretchAt } from '../core/search.js';
import { type BoundExpr, columnsOf } from '../expr/bound.js';
import { mayMatch, type ZoneFacts } from '../expr/may-match.js';
import type { Candidates, RuledOut } from './filterable-rows.js';
import { keyFacts } from './key-facts.js';
import { pieceBatches, pieceSource } from './merged-reader.js';
import { type MergedPart, type Part, stretchEnd } from './part.js';
import { partStretch } from './part-reader.js';
import { openedFiles, type PartReading, type Stretch } from './set-reader.js';
import { batchFacts, eitherFacts, factRows, nothingThere } from './zone-facts.js';

/** For how many of some rows a filter is true, as far as is known without reading them. */
export type Verdict = 'none' | 'some' | 'all';

/** What is known of a part. */
interface PartVerdicts {
  /** By keys alone, of record batches as the log has them or of merged pieces, as far as anybody asked. */
  readonly byKeys: (Verdict | undefined)[];
  /** By the zone maps of files, of stretches by the row at which they begin. */
  readonly byZones: Map<number, Verdict>;
}

/**
 * Tells which rows of parts a filter rules out: by the keys that the log tells of, for which no file is opened, then by the
 * zone maps in the ends of files. It reads no cell, and never rules out a row that survives (law 21).
 */
export class Verdicts {
  readonly #where: BoundExpr;
  readonly #reading: PartReading;
  readonly #readsKeys: boolean;
  readonly #noteRuledOut: (part: Part) => void;
  readonly #parts = new WeakMap<Part, PartVerdicts>();

  /** `reading` is of the columns of `where`; `noteRuledOut` hears of parts that keys rule out as a whole. */
  constructor(where: BoundExpr, reading: PartReading, noteRuledOut: (part: Part) => void) {
    this.#where = where;
    this.#reading = reading;
    this.#noteRuledOut = noteRuledOut;
    const columns = columnsOf(where);
    this.#readsKeys = columns.size === 0 || reading.plan.keys.some(({ id }) => columns.has(id));
  }

  /** Whether keys rule out every row of `part`. */
  rulesOut(part: Part): boolean {
    return this.#readsKeys && this.#byKeys(part.keyMin, part.keyMax) === 'none';
  }

  /** Rows `from … to` of `part` without those that are ruled out, in order, and how many batches or pieces these were. */
  async candidates(part: Part, from: number, to: number): Promise<RuledOut> {
    const candidates: Candidates[] = [];
    let [byKeys, byZones] = [0, 0];
    for (let row = from; row < to; ) {
      const end = Math.min(to, stretchEnd(part, row));
      if (this.#readsKeys && this.#gridVerdict(part, row) === 'none') {
        byKeys++;
        row = end;
        continue;
      }
      while (row < end) {
        const stretch = await partStretch(this.#reading, part, row, 'never');
        const verdict = await this.#byZones(part, stretch);
        const next = Math.min(end, stretch.to);
        const last = candidates.at(-1);
        if (verdict === 'none') byZones++;
        else if (last?.verdict === verdict && last.to === row)
          candidates[candidates.length - 1] = { ...last, to: next };
        else candidates.push({ from: row, to: next, verdict });
        row = next;
      }
    }
    return { candidates, byKeys, byZones };
  }

  #of(part: Part): PartVerdicts {
    let verdicts = this.#parts.get(part);
    if (verdicts === undefined) {
      verdicts = { byKeys: [], byZones: new Map() };
      this.#parts.set(part, verdicts);
      if (this.rulesOut(part)) this.#noteRuledOut(part);
    }
    return verdicts;
  }

  #gridVerdict(part: Part, row: number): Verdict {
    const { byKeys } = this.#of(part);
    const number = gridNumber(part, row);
    const known = byKeys[number];
    if (known !== undefined) return known;
    const keys = 'index' in part ? part.index.pieces.map(({ begin }) => begin) : part.batchKeys;
    const verdict = this.#byKeys(keys[number]!, keys[number + 1] ?? part.keyMax);
    byKeys[number] = verdict;
    return verdict;
  }

  #byKeys(low: Uint8Array, high: Uint8Array): Verdict {
    const facts = keyFacts(this.#reading.plan.keys, low, high);
    return mayMatch(this.#where, (id) => facts.get(id), factRows);
  }

  async #byZones(part: Part, stretch: Stretch): Promise<Verdict> {
    const { byZones } = this.#of(part);
    const known = byZones.get(stretch.from);
    if (known !== undefined) return known;
    const facts = await this.#facts(part, stretch.from);
    const verdict = mayMatch(this.#where, (id) => facts.get(id) ?? nothingThere, factRows);
    byZones.set(stretch.from, verdict);
    return verdict;
  }

  /** What zone maps tell of the stretch around `row`, by column number. A column that is not told of has no cell. */
  async #facts(part: Part, row: number): Promise<Map<number, ZoneFacts>> {
    const source = 'index' in part ? pieceSource(part, row) : { set: part.set, row };
    if (source === undefined) return this.#pieceFacts(part as MergedPart, row);
    const facts = new Map<number, ZoneFacts>();
    for (const file of await openedFiles(this.#reading, source.set)) {
      for (const [id, own] of batchFacts(file, stretchAt(file.file.rowStarts, source.row))) facts.set(id, own);
    }
    return facts;
  }

  /** A cell of merged rows is one of those of the batches that they are made from, or not there. */
  async #pieceFacts(part: MergedPart, row: number): Promise<Map<number, ZoneFacts>> {
    const facts = new Map<number, ZoneFacts>();
    for (const { file, batch } of await pieceBatches(this.#reading, part, row)) {
      for (const [id, own] of batchFacts(file, batch)) facts.set(id, eitherFacts(facts.get(id), own));
    }
    for (const { id } of this.#reading.plan.keys) {
      const known = facts.get(id);
      if (known !== undefined) facts.set(id, { ...known, nulls: 0 });
    }
    return facts;
  }
}

/** The number of the record batch, as the log has them, or of the piece that `row` of `part` is in. */
function gridNumber(part: Part, row: number): number {
  return 'index' in part ? stretchAt(part.index.starts, row) : Math.floor(row / part.batchRows);
}
