import type { RecordBatch } from 'apache-arrow';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { FileFormat, FileTable, Scan, Table } from '../index.js';
import type { Call, CommandSpec } from './command.js';
import { done, misuse } from './failure.js';
import { columnsOf, fileFormats, projectOf, tableArgument } from './source.js';

/** Columns that every file has beside its own: where a row is. */
const placeColumns = ['file', 'row'];

/** `spiral tables import`. */
export const importCommand: CommandSpec = {
  words: ['tables', 'import'],
  about: 'write the rows of files into a table, all of them or none: new keys are added, cells of known keys replaced',
  arguments: [tableArgument, { name: 'files', about: 'files, folders and patterns', many: true }],
  options: [
    { name: 'format', value: 'format', choices: fileFormats, about: 'of the files; told by their names otherwise' },
    {
      name: 'key',
      value: 'columns',
      about: 'makes the table, if it is not there, with these columns as its key; file,row: by place',
    },
    { name: 'select', value: 'columns', about: 'only these columns' },
    { name: 'where', value: 'condition', about: 'only such rows' },
    { name: 'create-project', about: 'makes the project, if it is not there' },
  ],
  examples: [
    "tables import demo/images 'data/*.parquet' --key id",
    'tables import demo/texts corpus.jsonl --key file,row --create-project',
    'tables import demo/images new.csv --select id,label',
  ],
  stops: true,
  run: async (call) => {
    const { spiral, line, out, signal } = call;
    const format = line.text('format') as FileFormat | undefined;
    const files = await spiral.files(line.arguments('files'), { signal, ...(format && { format }) });
    const table = await targetOf(call, files);
    const scan = await importScan(call, files, table);
    const reader = scan.toRecordBatches({ signal, hideProgressBar: out.quiet });
    let rows = 0;
    async function* counted(): AsyncGenerator<RecordBatch, void> {
      for await (const batch of reader) {
        rows += batch.numRows;
        yield batch;
      }
    }
    await table.write(counted(), { signal });
    const facts = { table: `${table.project}/${table.identifier}`, files: files.files.length, rows };
    const sum = [
      ['table', facts.table],
      ['files', out.count(facts.files)],
      ['rows', out.count(rows)],
    ] as const;
    await out.facts(sum, facts);
    return done;
  },
};

/** The table, made where it is not there and `--key` says how. */
async function targetOf({ spiral, line }: Call, files: FileTable): Promise<Table> {
  const { project, identifier } = projectOf(spiral, line.argument('table'));
  const key = line.text('key');
  if (line.flag('create-project')) {
    const known = await spiral.listProjects();
    if (!known.some(({ id }) => id === project.id)) await spiral.createProject(project.id);
  }
  try {
    return await project.table(identifier);
  } catch (error) {
    if (!isSpiralError(error, 'unknown_table') || key === undefined) throw withRemedy(error);
  }
  const fields = [...files.schema.fields, ...files.keySchema.fields];
  const keySchema = columnsOf(key).map((name) => {
    const field = fields.find((one) => one.name === name);
    if (field !== undefined) return field;
    const known = files.schema.fields.map((one) => one.name).join(', ');
    throw misuse(`Expected --key to name columns of the files, or file and row, got '${name}'. They have ${known}.`, {
      column: name,
    });
  });
  return project.createTable(identifier, { keySchema, existOk: true });
}

/** The rows of the files that are wanted, with their places where the table's key is made of these. */
function importScan({ door, spiral, line }: Call, files: FileTable, table: Table): Promise<Scan> {
  const select = line.text('select');
  const where = line.text('where');
  const own = files.schema.fields.map(({ name }) => name);
  const places = table.keySchema.fields
    .map(({ name }) => name)
    .filter((name) => placeColumns.includes(name) && !own.includes(name));
  const wanted = select === undefined ? own : columnsOf(select);
  const paths = [...new Set([...places, ...wanted])];
  return spiral.scan(files.select(...paths), where === undefined ? {} : { where: door.se.parse(where, files) });
}

/** The error of something that is not there, with the option that makes it. */
function withRemedy(error: unknown): unknown {
  if (!isSpiralError(error, 'unknown_project', 'unknown_table')) return error;
  const remedy =
    error.code === 'unknown_project'
      ? '--create-project makes it.'
      : '--key makes it, with the key columns that it names.';
  return new SpiralError(error.code, `${error.message} ${remedy}`, { details: error.details, cause: error });
}
