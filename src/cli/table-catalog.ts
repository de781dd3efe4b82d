import type { Table } from '../index.js';
import type { CommandSpec } from './command.js';
import { done, misuse } from './failure.js';
import { columnsOf, filesOptions, openSource, projectOf, sourceArgument, tableArgument, timeOf } from './source.js';

/** `spiral tables ls | create | schema | move | rename`. */
export const catalogCommands: readonly CommandSpec[] = [
  {
    words: ['tables', 'ls'],
    about: 'list the tables of a project, or of all',
    arguments: [{ name: 'project', about: 'only of this one', optional: true }],
    examples: ['tables ls', 'tables ls demo'],
    run: async ({ door, spiral, line, out }) => {
      const named = line.optionalArgument('project');
      const projects = named === undefined ? await spiral.listProjects() : [spiral.project(named)];
      const tables = (await Promise.all(projects.map((project) => project.listTables()))).flat().map((table) => ({
        table: `${table.project}/${table.identifier}`,
        key: table.keySchema.fields.map((field) => ({ name: field.name, type: door.typeWords(field.type) })),
        id: table.id,
      }));
      const rows = tables.map(({ table, key, id }) => [table, key.map(({ name }) => name).join(', '), id]);
      await out.table([{ name: 'table' }, { name: 'key' }, { name: 'id' }], rows, tables);
      return done;
    },
  },
  {
    words: ['tables', 'create'],
    about: 'make a table',
    arguments: [tableArgument],
    options: [
      { name: 'key', value: 'columns', about: 'its key columns with their types: id:int64,lang:utf8' },
      { name: 'root', value: 'uri', about: 'where its files are kept; otherwise below the warehouse' },
      { name: 'exist-ok', about: 'nothing to do where it is there with this key' },
    ],
    examples: ['tables create demo/images --key id:int64', 'tables create demo/web.pages --key host:utf8,path:utf8'],
    run: async ({ spiral, line, out }) => {
      const { project, identifier } = projectOf(spiral, line.argument('table'));
      const root = line.text('root');
      const table = await project.createTable(identifier, {
        keySchema: typedColumns(line.text('key')),
        existOk: line.flag('exist-ok'),
        ...(root !== undefined && { rootUri: root }),
      });
      const made = { table: `${table.project}/${table.identifier}`, id: table.id };
      await (out.json ? out.document(made) : out.line(made.table));
      return done;
    },
  },
  {
    words: ['tables', 'schema'],
    about: 'show the columns and their types',
    arguments: [sourceArgument],
    options: [...filesOptions, { name: 'asof', value: 'time', about: 'as it was: a time, microseconds, or a tag' }],
    examples: ['tables schema demo/images', "tables schema --files 'data/*.parquet'"],
    run: async (call) => {
      const source = await openSource(call);
      const asof = call.line.text('asof');
      const isTable = !call.line.flag('files');
      const table = source as Table;
      const version = asof === undefined ? undefined : await timeOf(asof, table);
      const schema = isTable ? await table.snapshot(version).schema() : source.schema;
      const keys = isTable ? table.keySchema.fields.map(({ name }) => name) : [];
      const columns = (schema as Awaited<ReturnType<Table['schema']>>).fields.map(({ name, type, nullable }) => ({
        name,
        type: call.door.typeWords(type),
        nullable,
        key: keys.includes(name),
      }));
      const rows = columns.map(({ name, type, key }) => [name, type, key ? 'key' : '']);
      await call.out.table([{ name: 'column' }, { name: 'type' }, { name: '' }], rows, columns);
      return done;
    },
  },
  {
    words: ['tables', 'move'],
    about: 'move a table to another dataset of its project; its id stays',
    arguments: [tableArgument, { name: 'dataset', about: 'where to' }],
    examples: ['tables move demo/images archive'],
    run: async ({ spiral, line, out }) => {
      const { project, identifier } = projectOf(spiral, line.argument('table'));
      const dataset = line.argument('dataset');
      await project.moveTable(identifier, dataset);
      return named(out, `${project.id}/${dataset}.${identifier.split('.').at(-1)}`);
    },
  },
  {
    words: ['tables', 'rename'],
    about: 'give a table another name in its dataset; its id stays',
    arguments: [tableArgument, { name: 'name', about: 'the new one, without the dataset' }],
    examples: ['tables rename demo/images pictures'],
    run: async ({ spiral, line, out }) => {
      const { project, identifier } = projectOf(spiral, line.argument('table'));
      const name = line.argument('name');
      await project.renameTable(identifier, name);
      const dataset = identifier.includes('.') ? identifier.split('.')[0] : 'default';
      return named(out, `${project.id}/${dataset}.${name}`);
    },
  },
];

async function named(out: Parameters<NonNullable<CommandSpec['run']>>[0]['out'], table: string): Promise<number> {
  await (out.json ? out.document({ table }) : out.line(table));
  return done;
}

/** `id:int64,lang:utf8` as a schema in words. Types may hold commas between brackets. */
function typedColumns(text: string | undefined): Record<string, string> {
  if (text === undefined) throw misuse('Expected --key with the key columns and their types, such as --key id:int64.');
  const parts: string[] = [];
  for (const part of columnsOf(text)) {
    const open = parts.at(-1);
    if (open !== undefined && depth(open) > 0) parts[parts.length - 1] = `${open},${part}`;
    else parts.push(part);
  }
  return Object.fromEntries(
    parts.map((part) => {
      const at = part.indexOf(':');
      if (at > 0 && at < part.length - 1) return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
      throw misuse(`Expected each key column with its type, such as id:int64, got '${part}'.`, { found: part });
    }),
  );
}

function depth(text: string): number {
  return [...text].reduce(
    (sum, character) => sum + ('<[('.includes(character) ? 1 : '>])'.includes(character) ? -1 : 0),
    0,
  );
}
