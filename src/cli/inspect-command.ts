import type { TableFacts } from '../index.js';
import type { CommandSpec } from './command.js';
import { done } from './failure.js';
import type { Output } from './output.js';
import { openTable, tableArgument } from './source.js';

/** `spiral tables inspect`. */
export const inspectCommand: CommandSpec = {
  words: ['tables', 'inspect'],
  about: 'show what a table is made of: versions, columns, fragments, files, tags',
  arguments: [tableArgument],
  examples: ['tables inspect demo/images', 'tables inspect demo/images --json | jq .fragments'],
  run: async (call) => {
    const { out } = call;
    const facts = await (await openTable(call)).inspect();
    if (out.json) await out.document(facts);
    else await show(out, facts);
    return done;
  },
};

async function show(out: Output, facts: TableFacts): Promise<void> {
  await out.facts(
    [
      ['table', facts.name],
      ['id', facts.tableId],
      ['place', facts.uri],
      ['version', `${facts.version} of ${out.time(facts.time)}`],
      ['made', out.time(facts.created)],
      ['kept from version', String(facts.floor)],
      ['rows stored', out.count(facts.rowsStored)],
      ['bytes', out.bytes(facts.bytes)],
      ['data files', `${out.count(facts.dataFiles.count)}, ${out.bytes(facts.dataFiles.bytes)}`],
      ['of older versions', `${out.count(facts.otherFiles.count)}, ${out.bytes(facts.otherFiles.bytes)}`],
      ['log entries', out.count(facts.logEntries)],
      ['checkpoints', out.count(facts.checkpoints.length)],
      ['tags', facts.tags.map(({ name, version }) => `${name} (${version})`).join(', ')],
    ],
    facts,
  );
  await out.line('');
  const columns = facts.columns.map(({ path, type, key }) => [path, type, key ? 'key' : '']);
  await out.table([{ name: 'column' }, { name: 'type' }, { name: '' }], columns, facts);
  await out.line('');
  const right = true;
  const heads = [
    { name: 'version', right },
    { name: 'rows', right },
    { name: 'bytes', right },
    { name: 'files', right },
    { name: 'from key' },
    { name: 'to key' },
    { name: '' },
  ] as const;
  const fragments = facts.fragments.map(({ version, rows, bytes, files, keyMin, keyMax, deletes }) => [
    String(version),
    out.count(rows),
    out.bytes(bytes),
    out.count(files.length),
    keyMin,
    keyMax,
    deletes ? 'deletes' : '',
  ]);
  await out.table(heads, fragments, facts);
}
