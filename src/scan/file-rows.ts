import { stretchAt } from '../core/search.js';
import { type BoundExpr, columnsOf } from '../expr/bound.js';
import { mayMatch, type ZoneFacts } from '../expr/may-match.js';
import type { Segment } from '../sharding/shard.js';
import { FileReader, type FileReading } from './file-reader.js';
import type { Candidates, FilterableRows, NumberedColumns, RuledOut } from './filterable-rows.js';
import type { Filtering } from './filtered-reader.js';
import type { PartOptions, Stretch } from './set-reader.js';

/** The rows of file number `number` as a filter reads them. */
class FileRows implements FilterableRows {
  readonly #reading: FileReading;
  readonly #number: number;
  readonly #reader: FileReader;
  readonly #where: BoundExpr;

  constructor(reading: FileReading, number: number, reader: FileReader, where: BoundExpr) {
    this.#reading = reading;
    this.#number = number;
    this.#reader = reader;
    this.#where = where;
  }

  get given(): FilterableRows['given'] {
    return this.#reading.plan.given;
  }

  /** Without the groups that the path of the file, the numbers of rows and the file's statistics rule out. */
  async candidates(from: number, to: number): Promise<RuledOut> {
    const { counts, files } = this.#reading;
    if (rulesOutFile(this.#reading, this.#where, this.#number)) {
      counts.prunedFile(files.files[this.#number]!.pinned.path);
    }
    return ruledOutGroups(this.#reading, this.#where, this.#number, { from, to });
  }

  read(
    columns: 'filtering' | 'others' | 'given',
    from: number,
    to: number,
    options: PartOptions,
  ): Promise<NumberedColumns> {
    return this.#reader.rows(this.#reading.plan[columns], from, to, options);
  }

  pick(base: number, survivors: Int32Array, kept: Stretch, options: PartOptions): Promise<NumberedColumns> {
    return this.#reader.pick(this.#reading.plan.others, base, survivors, kept, options);
  }

  /** A group is damaged as a whole, but where rows are so one by one. */
  async around(span: Stretch): Promise<Stretch> {
    if (this.#reading.files.files[this.#number]!.file.readRows !== undefined) return span;
    const { starts } = this.#reader;
    return { from: starts[stretchAt(starts, span.from)]!, to: starts[stretchAt(starts, span.to - 1) + 1]! };
  }
}

/** Rows of file number `number` without the groups that cannot have any for which `where` is true. */
export function ruledOutGroups(
  reading: FileReading,
  where: BoundExpr,
  number: number,
  { from, to }: Stretch,
): RuledOut {
  const { plan, files } = reading;
  const { file, pinned, rowStarts, columns } = files.files[number]!;
  const read = columnsOf(where);
  const readsKeys = read.size === 0 || read.has(plan.fileId) || read.has(plan.rowId);
  const candidates: Candidates[] = [];
  let [byKeys, byZones] = [0, 0];
  for (let group = from < to ? stretchAt(rowStarts, from) : 0, row = from; row < to; group++) {
    const end = Math.min(to, rowStarts[group + 1]!);
    const { rows, zones } = file.groups[group]!;
    const key = keyFacts(plan, pinned.path, rowStarts[group]!, rows);
    const zone = (id: number): ZoneFacts | undefined => key(id) ?? zones?.[columns[id]!];
    const verdict = mayMatch(where, zone, rows);
    const last = candidates.at(-1);
    if (verdict === 'none') {
      if (readsKeys && mayMatch(where, key, rows) === 'none') byKeys++;
      else byZones++;
    } else if (last?.verdict === verdict && last.to === row) candidates[candidates.length - 1] = { ...last, to: end };
    else candidates.push({ from: row, to: end, verdict });
    row = end;
  }
  return { candidates, byKeys, byZones };
}

/** Whether the key alone rules out every row of file number `number`. */
export function rulesOutFile({ plan, files }: FileReading, where: BoundExpr, number: number): boolean {
  const { pinned, rowStarts } = files.files[number]!;
  const rows = rowStarts.at(-1)!;
  return mayMatch(where, keyFacts(plan, pinned.path, 0, rows), rows) === 'none';
}

function keyFacts(
  { fileId, rowId }: { readonly fileId: number; readonly rowId: number },
  path: string,
  start: number,
  rows: number,
): (id: number) => ZoneFacts | undefined {
  const name = Buffer.from(path);
  const file = { nulls: 0, min: name, max: name };
  const row = { nulls: 0, min: BigInt(start), max: BigInt(start + rows - 1) };
  return (id) => (id === fileId ? file : id === rowId ? row : undefined);
}

/** The filter `where` over the rows of `piece`. */
export function fileFiltering(reading: FileReading, where: BoundExpr, piece: Segment): Filtering {
  const reader = new FileReader(reading, piece.part, piece);
  return {
    where,
    effects: reading.effects,
    rows: new FileRows(reading, piece.part, reader, where),
    notePruned: (groups) => reading.counts.prunedBatches(groups),
  };
}
