import { stretchAt } from '../core/search.js';
import type { ExprNode } from '../expr/node.js';
import { counted, explainBytes, explainText, queryText, ruledOut, shownCount, unfilteredText } from './explain-text.js';
import type { FileColumn } from './file-plan.js';
import type { FileReading } from './file-reader.js';
import { ruledOutGroups, rulesOutFile } from './file-rows.js';
import { fileSetId } from './file-set.js';

/** The plan of a scan of files as text for people, by what opening them told. */
export function explainFiles(reading: FileReading): string {
  const { plan, files } = reading;
  const { where } = plan;
  let [groups, rows, byKeys, byZones, unfiltered, filterBytes, otherBytes, filesByKeys] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (const [number, { file, rowStarts }] of files.files.entries()) {
    const all = rowStarts.at(-1)!;
    rows += all;
    groups += file.groups.length;
    if (where !== undefined && rulesOutFile(reading, where, number)) filesByKeys++;
    const out =
      where === undefined
        ? { candidates: [{ from: 0, to: all, verdict: 'all' as const }], byKeys: 0, byZones: 0 }
        : ruledOutGroups(reading, where, number, { from: 0, to: all });
    byKeys += out.byKeys;
    byZones += out.byZones;
    for (const { from, to, verdict } of out.candidates) {
      for (let group = stretchAt(rowStarts, from); from < to && rowStarts[group]! < to; group++) {
        if (verdict === 'all') {
          unfiltered++;
          otherBytes += bytesOf(reading, number, group, plan.given);
        } else {
          filterBytes += bytesOf(reading, number, group, plan.filtering);
          otherBytes += bytesOf(reading, number, group, plan.others);
        }
      }
    }
  }
  const text = (node: ExprNode): string => queryText(node, [{ id: fileSetId(files.set), name: 'files' }]);
  return explainText([
    ['scan', `files in ${plan.tableName}`],
    ['gives', text(plan.outputs.node)],
    ['columns', names(reading, plan.all)],
    ...(where === undefined
      ? []
      : ([
          ['filter', text(where.node)],
          ['reads first', names(reading, plan.filtering)],
        ] as const)),
    ['rows', shownCount(rows)],
    ['files', counted(files.files.length, 'file') + ruledOut([[filesByKeys, 'by keys']])],
    [
      'groups',
      counted(groups, 'group') +
        ruledOut([
          [byKeys, 'by keys'],
          [byZones, 'by statistics'],
        ]) +
        unfilteredText(where === undefined ? 0 : unfiltered),
    ],
    ['bytes', explainBytes(where !== undefined, filterBytes, otherBytes)],
  ]);
}

/** Stored bytes of `columns` of a group; all of the group where they are not stored apart. */
function bytesOf({ plan, files }: FileReading, number: number, group: number, columns: readonly FileColumn[]): number {
  const { file, columns: numbers } = files.files[number]!;
  const stored = columns.filter(({ id }) => id < plan.fileId).map(({ id }) => numbers[id]!);
  if (stored.length === 0) return 0;
  return file.columnBytes?.(group, stored) ?? file.groups[group]!.bytes;
}

function names({ plan, files }: FileReading, columns: readonly FileColumn[]): string {
  const keys = plan.keys.map(({ id, path }) => [id, path[0]!] as const);
  const nameOf = new Map([...files.schema.fields.map(({ name }, id) => [id, name] as const), ...keys]);
  return columns.length === 0 ? 'none' : columns.map(({ id }) => nameOf.get(id)!).join(', ');
}
