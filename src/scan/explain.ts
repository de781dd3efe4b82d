import { stretchAt } from '../core/search.js';
import type { ExprNode } from '../expr/node.js';
import { columnBytes } from '../format/arrow-pick.js';
import { type Column, pathText } from '../table/column.js';
import type { ColumnChoice } from './column-choice.js';
import {
  counted as countedAs,
  explainBytes,
  explainText,
  queryText,
  ruledOut,
  shownCount,
  tablesText,
  unfilteredText,
} from './explain-text.js';
import { pieceBatches } from './merged-reader.js';
import { type Part, stretchEnd } from './part.js';
import type { ScanPlan } from './plan.js';
import type { ScanReading } from './scan-reading.js';
import { type OpenedFile, setFiles } from './set-files.js';
import { openedFiles, type PartReading, type Stretch } from './set-reader.js';

/** What of a scan is read, by the log and the ends of its files; of what keys rule out not even that is looked at. */
interface Counted {
  batches: number;
  byKeys: number;
  byZones: number;
  unfiltered: number;
  readonly files: Set<string>;
  readonly filesRuledOut: Set<string>;
  /** Stored bytes by file and record batch. */
  readonly filterBytes: Map<string, number>;
  readonly otherBytes: Map<string, number>;
}

/** The plan of a scan as text for people: what is read of which columns, and what the filter rules out before. */
export async function explainScan(plan: ScanPlan, parts: readonly Part[], reading: ScanReading): Promise<string> {
  const counted: Counted = {
    batches: 0,
    byKeys: 0,
    byZones: 0,
    unfiltered: 0,
    files: new Set(),
    filesRuledOut: new Set(),
    filterBytes: new Map(),
    otherBytes: new Map(),
  };
  for (const part of parts) await countPart(plan, part, reading, counted);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const merged = parts.filter((part) => 'index' in part).length;
  const { files, filesRuledOut, batches, byKeys, byZones, unfiltered } = counted;
  const [filterBytes, otherBytes] = [sumOf(counted.filterBytes), sumOf(counted.otherBytes)];
  const text = (node: ExprNode): string => queryText(node, plan.tables);
  return explainText([
    ['scan', tablesText(plan.tables)],
    ['gives', text(plan.outputs.node)],
    ['columns', names(plan, plan)],
    ...(plan.where === undefined
      ? []
      : ([
          ['filter', text(plan.where.node)],
          ['reads first', names(plan, plan.filtering)],
        ] as const)),
    ['rows', `${shownCount(rows)} in ${countedAs(parts.length, 'part')}, ${merged} of them merged`],
    ['files', countedAs(files.size, 'file') + ruledOut([[filesRuledOut.size, 'by keys']])],
    [
      'batches',
      countedAs(batches, 'record batch or piece', 'record batches and pieces') +
        ruledOut([
          [byKeys, 'by keys'],
          [byZones, 'by statistics'],
        ]) +
        unfilteredText(unfiltered),
    ],
    ['bytes', explainBytes(plan.where !== undefined, filterBytes, otherBytes)],
  ]);
}

async function countPart(
  plan: ScanPlan,
  part: Part,
  { reading, filtered }: ScanReading,
  counted: Counted,
): Promise<void> {
  for (let row = 0; row < part.rows; row = stretchEnd(part, row)) counted.batches++;
  const files = ('index' in part ? part.run.sets : [part.set]).flatMap((set) => setFiles(plan, set));
  for (const { name } of files) counted.files.add(name);
  if (filtered === undefined) return addBytes(reading, part, { from: 0, to: part.rows }, counted.otherBytes);
  if (filtered.verdicts.rulesOut(part)) for (const { name } of files) counted.filesRuledOut.add(name);
  const { candidates, byKeys, byZones } = await filtered.verdicts.candidates(part, 0, part.rows);
  counted.byKeys += byKeys;
  counted.byZones += byZones;
  for (const span of candidates) {
    if (span.verdict === 'all') {
      for (let row = span.from; row < span.to; row = stretchEnd(part, row)) counted.unfiltered++;
      await addBytes(filtered.given, part, span, counted.otherBytes);
    } else {
      await addBytes(filtered.filtering, part, span, counted.filterBytes);
      await addBytes(filtered.others, part, span, counted.otherBytes);
    }
  }
}

async function addBytes(
  reading: PartReading,
  part: Part,
  { from, to }: Stretch,
  bytes: Map<string, number>,
): Promise<void> {
  if ('index' in part) {
    for (let row = from; row < to; row = stretchEnd(part, row)) {
      for (const { file, batch } of await pieceBatches(reading, part, row)) addBatch(file, batch, bytes);
    }
    return;
  }
  for (const file of await openedFiles(reading, part.set)) {
    const { rowStarts, index } = file.file;
    for (let batch = stretchAt(rowStarts, from); batch < index.batches.length && rowStarts[batch]! < to; batch++) {
      addBatch(file, batch, bytes);
    }
  }
}

function addBatch({ file, name, numbers }: OpenedFile, batch: number, bytes: Map<string, number>): void {
  const sum = numbers.reduce((all, number) => all + columnBytes(file, batch, number), 0);
  bytes.set(`${name} ${batch}`, sum);
}

/** The columns of a choice; where there are several tables, those that are no keys with the name of theirs. */
function names({ tables, keys }: ScanPlan, { columns }: ColumnChoice): string {
  const nameOf = (column: Column): string => {
    const { path, id } = column;
    if (tables.length === 1 || keys.some((key) => key.id === id)) return pathText(path);
    return `${tables.findLast(({ firstColumn }) => firstColumn <= id)!.name}.${pathText(path)}`;
  };
  return columns.length === 0 ? 'none' : columns.map(nameOf).join(', ');
}

function sumOf(bytes: ReadonlyMap<string, number>): number {
  return [...bytes.values()].reduce((sum, own) => sum + own, 0);
}
