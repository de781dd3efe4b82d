import type { Commit } from '../index.js';
import type { CommandSpec } from './command.js';
import { done } from './failure.js';
import { openTable, tableArgument } from './source.js';

/** `spiral tables history | compact | vacuum | drop-columns | tag | untag`. */
export const upkeepCommands: readonly CommandSpec[] = [
  {
    words: ['tables', 'history'],
    about: 'list the commits, oldest first: who changed what, and when',
    arguments: [tableArgument],
    options: [{ name: 'last', value: 'count', kind: 'count', about: 'only so many of the newest' }],
    examples: ['tables history demo/images', 'tables history demo/images --last 5 --json'],
    run: async (call) => {
      const { line, out } = call;
      const commits = await (await openTable(call)).history(line.counts('last'));
      const rows = commits.map((commit) => [
        String(commit.version),
        out.time(commit.time),
        commit.author ?? '',
        operationsText(commit),
        out.count(sum(commit, 'rows')),
        out.bytes(sum(commit, 'bytes')),
        commit.tags.join(', '),
      ]);
      const right = true;
      const columns = [
        { name: 'version', right },
        { name: 'time' },
        { name: 'author' },
        { name: 'change' },
        { name: 'rows', right },
        { name: 'bytes', right },
        { name: 'tags' },
      ] as const;
      await out.table(columns, rows, commits);
      return done;
    },
  },
  {
    words: ['tables', 'compact'],
    about: 'rewrite files so that reading needs fewer; changes no row',
    arguments: [tableArgument],
    examples: ['tables compact demo/images'],
    run: async (call) => {
      const result = await (await openTable(call)).compact();
      const facts = [
        ['fragments', `${call.out.count(result.fragmentsBefore)} became ${call.out.count(result.fragmentsAfter)}`],
        ['bytes written', call.out.bytes(result.bytesWritten)],
      ] as const;
      await call.out.facts(facts, result);
      return done;
    },
  },
  {
    words: ['tables', 'vacuum'],
    about: 'delete what no kept version needs; versions with a tag are kept',
    arguments: [tableArgument],
    options: [
      { name: 'retain', value: 'time', kind: 'duration', otherwise: '7d', about: 'keep versions of the last …' },
      {
        name: 'grace',
        value: 'time',
        kind: 'duration',
        otherwise: '1d',
        about: 'keep files younger than …, as writers may commit them',
      },
    ],
    examples: ['tables vacuum demo/images', 'tables vacuum demo/images --retain 12h'],
    run: async (call) => {
      const { line, out } = call;
      const settings = { retainMs: line.count('retain')!, graceMs: line.count('grace')! };
      const result = await (await openTable(call)).vacuum(settings);
      const facts = [
        ['kept from version', String(result.floor)],
        ['files deleted', out.count(result.files)],
        ['bytes freed', out.bytes(result.bytes)],
        ['log entries deleted', out.count(result.entries)],
      ] as const;
      await out.facts(facts, result);
      return done;
    },
  },
  {
    words: ['tables', 'drop-columns'],
    about: 'drop columns; earlier versions keep them',
    arguments: [tableArgument, { name: 'columns', about: 'by dotted name', many: true }],
    examples: ['tables drop-columns demo/images label meta.note'],
    run: async (call) => {
      const { line, out } = call;
      const columns = line.arguments('columns');
      await (await openTable(call)).dropColumns(columns);
      await (out.json ? out.document({ dropped: columns }) : out.line(`dropped ${columns.join(', ')}`));
      return done;
    },
  },
  {
    words: ['tables', 'tag'],
    about: 'name the newest version, and keep it from vacuum',
    arguments: [tableArgument, { name: 'name', about: 'letters, digits, _ and -' }],
    examples: ['tables tag demo/images run-1'],
    run: async (call) => {
      const { line, out } = call;
      const tag = await (await openTable(call)).tag(line.argument('name'));
      const facts = [
        ['tag', tag.name],
        ['version', String(tag.version)],
        ['time', out.time(tag.time)],
      ] as const;
      await out.facts(facts, tag);
      return done;
    },
  },
  {
    words: ['tables', 'untag'],
    about: 'take a tag away',
    arguments: [tableArgument, { name: 'name', about: 'of the tag' }],
    examples: ['tables untag demo/images run-1'],
    run: async (call) => {
      const { line, out } = call;
      await (await openTable(call)).untag(line.argument('name'));
      await (out.json
        ? out.document({ untagged: line.argument('name') })
        : out.line(`untagged ${line.argument('name')}`));
      return done;
    },
  },
];

function operationsText({ operations }: Commit): string {
  return operations
    .map(({ kind, columns }) => (columns.length === 0 ? kind : `${kind} ${columns.join(', ')}`))
    .join('; ');
}

function sum({ operations }: Commit, figure: 'rows' | 'bytes'): number {
  return operations.reduce((total, operation) => total + operation[figure], 0);
}
