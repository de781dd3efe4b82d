import type { Expr, ExprLike, FileFormat, FileTable, Project, Scan, Spiral, Table } from '../index.js';
import type { ArgumentSpec, Call, CommandLine, Door, OptionSpec } from './command.js';
import { misuse } from './failure.js';

/** The formats of `--format`. */
export const fileFormats: readonly FileFormat[] = ['parquet', 'arrow', 'mds', 'jsonl', 'csv'];

/** An argument that names a table, or files with `--files`. */
export const sourceArgument: ArgumentSpec = {
  name: 'source',
  about: 'project/table or project/dataset.table; with --files a file, folder or pattern',
};
export const tableArgument: ArgumentSpec = { name: 'table', about: 'project/table or project/dataset.table' };

export const filesOptions: readonly OptionSpec[] = [
  { name: 'files', about: 'read files where they are, not a table' },
  { name: 'format', value: 'format', choices: fileFormats, about: 'of --files; told by their names otherwise' },
];

/** Which rows and columns of a source. */
export const queryOptions: readonly OptionSpec[] = [
  ...filesOptions,
  { name: 'select', value: 'columns', about: 'only these, by dotted names with commas between' },
  { name: 'where', value: 'condition', about: `only such rows: "score >= 0.5 and label in ('cat', 'dog')"` },
  { name: 'asof', value: 'time', about: 'the table as it was: a time, microseconds since the epoch, or a tag' },
];

/** The project and the name within it. */
export function tableName(text: string): { readonly project: string; readonly table: string } {
  const [project = '', table = '', ...more] = text.split('/');
  if (project !== '' && table !== '' && more.length === 0) return { project, table };
  throw misuse(
    `Expected a table as project/table or project/dataset.table, got '${text}'. See them with 'spiral tables ls'; for files give --files.`,
    { found: text },
  );
}

/** The project of a table's name, and the table's name in it. */
export function projectOf(spiral: Spiral, text: string): { readonly project: Project; readonly identifier: string } {
  const { project, table } = tableName(text);
  return { project: spiral.project(project), identifier: table };
}

/** The table that the argument `table` names. */
export async function openTable({ spiral, line }: Call, argument = 'table'): Promise<Table> {
  const { project, identifier } = projectOf(spiral, line.argument(argument));
  return project.table(identifier);
}

/** What the argument `source` names. */
export async function openSource(call: Call): Promise<Table | FileTable> {
  const { line, spiral, signal } = call;
  if (!line.flag('files')) {
    if (line.text('format') !== undefined) throw misuse('Expected --files beside --format: tables have no format.');
    return openTable(call, 'source');
  }
  if (line.text('asof') !== undefined) throw misuse('Expected no --asof beside --files: files have no history.');
  const format = line.text('format') as FileFormat | undefined;
  return spiral.files(line.argument('source'), { signal, ...(format && { format }) });
}

/** The scan of the source that the options ask for. */
export async function openScan(call: Call): Promise<Scan> {
  const source = await openSource(call);
  const { projection, where } = queryOf(call.door, call.line, source);
  const asof = call.line.text('asof');
  return call.spiral.scan(projection, {
    ...(where && { where }),
    ...(asof !== undefined && { asof: await timeOf(asof, source as Table) }),
  });
}

/** What `--select` and `--where` say. */
export function queryOf(
  door: Door,
  line: CommandLine,
  source: Table | FileTable,
): { readonly projection: ExprLike; readonly where: Expr | undefined } {
  const select = line.text('select');
  const where = line.text('where');
  return {
    projection: select === undefined ? source : source.select(...columnsOf(select)),
    where: where === undefined ? undefined : door.se.parse(where, source),
  };
}

/** Names with commas between. */
export function columnsOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw misuse(`Expected names with commas between, such as 'id,meta.note', got '${text}'.`, { found: text });
}

/** A time in words, microseconds, or of a tag. */
export async function timeOf(text: string, table: Table): Promise<number | Date> {
  if (/^\d+$/.test(text)) return Number(text);
  const tags = await table.tags();
  const tag = tags.find(({ name }) => name === text);
  if (tag !== undefined) return tag.time;
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (time !== undefined && !Number.isNaN(time.getTime())) return time;
  const known =
    tags.length === 0 ? 'The table has no tags.' : `Its tags are ${tags.map(({ name }) => name).join(', ')}.`;
  throw misuse(
    `Expected --asof to be a time such as 2026-01-31T12:00:00Z, microseconds since the epoch or a tag, got '${text}'. ${known}`,
    { found: text },
  );
}
