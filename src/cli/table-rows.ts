import type { RecordBatch } from 'apache-arrow';
import type { BatchReader, Scan } from '../index.js';
import { jsonCellText } from './cell-text.js';
import type { Call, CommandSpec } from './command.js';
import { done } from './failure.js';
import type { Column } from './output.js';
import { openScan, queryOptions, sourceArgument } from './source.js';

/** Rows that are laid out together in a terminal. */
const pageRows = 1000;

/** `spiral tables head | scan`. */
export const rowCommands: readonly CommandSpec[] = [
  {
    words: ['tables', 'head'],
    about: 'print the first rows',
    arguments: [sourceArgument],
    options: [
      ...queryOptions,
      { name: 'rows', short: 'n', value: 'count', kind: 'count', otherwise: '10', about: 'how many' },
    ],
    examples: ['tables head demo/images', 'tables head demo/images -n 3 --select id,label'],
    stops: true,
    run: (call) => printRows(call, call.line.count('rows')!),
  },
  {
    words: ['tables', 'scan'],
    about: 'print rows: a line a row, tab-separated when piped, JSON lines with --json',
    arguments: [sourceArgument],
    options: [
      ...queryOptions,
      { name: 'limit', value: 'rows', kind: 'count', about: 'at most so many' },
      { name: 'count', about: 'only how many there are' },
      { name: 'explain', about: 'only the plan: what is read, and what is ruled out' },
    ],
    examples: [
      `tables scan demo/images --where "score >= 0.5 and label in ('cat', 'dog')" --select id,label`,
      'tables scan demo/images --json | jq .label',
      "tables scan --files 'data/*.parquet' --where 'id is null' --count",
    ],
    stops: true,
    run: async (call) => {
      if (call.line.flag('explain')) return explained(call, await openScan(call));
      if (call.line.flag('count')) return counted(call, await openScan(call));
      return printRows(call, call.line.count('limit') ?? Number.POSITIVE_INFINITY);
    },
  },
];

async function explained({ out }: Call, scan: Scan): Promise<number> {
  const text = await scan.explain();
  await (out.json ? out.document({ plan: text }) : out.line(text.trimEnd()));
  return done;
}

async function counted({ out, signal }: Call, scan: Scan): Promise<number> {
  let rows = 0;
  for await (const batch of scan.toRecordBatches({ signal, hideProgressBar: out.quiet })) rows += batch.numRows;
  await (out.json ? out.document({ rows }) : out.line(String(rows)));
  return done;
}

async function printRows(call: Call, most: number): Promise<number> {
  const { door, out, signal } = call;
  const scan = await openScan(call);
  // What is printed to the terminal would run into a line of progress there.
  await using reader = scan.toRecordBatches({ signal, hideProgressBar: out.quiet || out.terminal });
  if (out.json) {
    for await (const { cells } of pages(reader, most, door.jsonCells)) {
      const names = scan.schema.fields.map(({ name }) => JSON.stringify(name));
      const lines = cells.map((row) => `{${row.map((cell, at) => `${names[at]}:${cell}`).join(',')}}\n`);
      await out.write(lines.join(''));
    }
    return done;
  }
  const columns = scan.schema.fields.map(({ name, type }): Column => {
    return /^(u?int|float|decimal)/.test(door.typeWords(type)) ? { name, right: true } : { name };
  });
  const table = out.rows(columns);
  const none = out.terminal ? 'null' : '';
  for await (const { cells } of pages(reader, most, door.jsonCells)) {
    await table.add(cells.map((row) => row.map((cell) => jsonCellText(cell, none))));
  }
  await table.end();
  return done;
}

/** The rows of `reader`, at most `most`, as JSON a cell. */
async function* pages(
  reader: BatchReader,
  most: number,
  cellsOf: (batch: RecordBatch) => string[][],
): AsyncGenerator<{ readonly cells: readonly (readonly string[])[] }, void> {
  let left = most;
  if (left === 0) return;
  for await (const batch of reader) {
    for (let from = 0; from < batch.numRows && left > 0; from += pageRows) {
      const rows = Math.min(pageRows, left, batch.numRows - from);
      yield { cells: cellsOf(batch.slice(from, from + rows)) };
      left -= rows;
    }
    if (left === 0) return;
  }
}
