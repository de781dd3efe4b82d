import type { MdsColumnStats, MdsProblem, MdsSpread } from '../index.js';
import type { ArgumentSpec, CommandSpec } from './command.js';
import { done, failed } from './failure.js';
import type { Output } from './output.js';
import { progressOf } from './progress.js';

const dataSet: ArgumentSpec = { name: 'data-set', about: 'a folder with index.json: a path or the URI of a store' };
const right = true;

/** `spiral stream inspect | verify | stats`. */
export const streamCommands: readonly CommandSpec[] = [
  {
    words: ['stream', 'inspect'],
    about: 'show columns and shards of a data set, by its index alone',
    arguments: [dataSet],
    examples: ['stream inspect data/c4', 'stream inspect data/c4 --json | jq .columns'],
    stops: true,
    run: async ({ door, line, out, signal }) => {
      const facts = await door.inspectMds(line.argument('data-set'), { signal });
      if (out.json) {
        await out.document(facts);
        return done;
      }
      await out.facts(
        [
          ['data set', facts.uri],
          ['samples', out.count(facts.samples)],
          ['shards', out.count(facts.shards.length)],
          ['bytes stored', out.bytes(facts.storedBytes)],
          ['bytes unpacked', out.bytes(facts.rawBytes)],
          ['formats', facts.formats.join(', ')],
          ['compressions', facts.compressions.join(', ')],
          ['hashes', facts.hashes.join(', ')],
        ],
        facts,
      );
      await out.line('');
      const columns = facts.columns.map(({ name, encoding, type }) => [name, encoding, type ?? 'not read']);
      await out.table([{ name: 'column' }, { name: 'encoding' }, { name: 'type' }], columns, facts);
      await out.line('');
      const shards = facts.shards.map((shard) => [
        String(shard.number),
        out.count(shard.samples),
        out.bytes(shard.storedBytes),
        out.bytes(shard.rawBytes),
        shard.files.map(({ path }) => path).join(', '),
      ]);
      const heads = [
        { name: 'shard', right },
        { name: 'samples', right },
        { name: 'stored', right },
        { name: 'unpacked', right },
        { name: 'files' },
      ] as const;
      await out.table(heads, shards, facts);
      return done;
    },
  },
  {
    words: ['stream', 'verify'],
    about: 'check the size and all hashes of every file, and decode every sample; exit code 1 where something is wrong',
    arguments: [dataSet],
    examples: ['stream verify data/c4', 'stream verify data/c4 --json > problems.json'],
    stops: true,
    run: async ({ door, line, out, signal }) => {
      const problems: MdsProblem[] = [];
      using progress = progressOf(out, 'verify', 'shards');
      const result = await door.verifyMds(line.argument('data-set'), {
        signal,
        onShard: progress.show,
        onProblem: (problem) => {
          if (problems.length < problemsMax) problems.push(problem);
        },
      });
      progress.end();
      await showVerification(out, result, problems);
      return result.problems === 0 ? done : failed;
    },
  },
  {
    words: ['stream', 'stats'],
    about: 'read every sample, and show sizes and ranges of the columns',
    arguments: [dataSet],
    options: [{ name: 'ints-as-text', about: 'of text shards: whole numbers of any number of digits' }],
    examples: ['stream stats data/c4'],
    stops: true,
    run: async ({ door, line, out, signal }) => {
      using progress = progressOf(out, 'stats', 'samples');
      const stats = await door.measureMds(line.argument('data-set'), {
        signal,
        intsAsText: line.flag('ints-as-text'),
        onSamples: progress.show,
      });
      progress.end();
      if (out.json) {
        await out.document(stats);
        return done;
      }
      await out.facts(
        [
          ['data set', stats.uri],
          ['samples', out.count(stats.samples)],
          ['shards', out.count(stats.shards)],
          ['bytes stored', out.bytes(stats.storedBytes)],
          ['bytes unpacked', out.bytes(stats.rawBytes)],
          ['samples a shard', spreadText(stats.samplesPerShard)],
          ['bytes a shard', spreadText(stats.storedBytesPerShard)],
        ],
        stats,
      );
      await out.line('');
      const names = ['column', 'encoding', 'of', 'least', 'mean', 'most', 'nulls', 'NaN'];
      const heads = names.map((name, at) => (at < 3 ? { name } : ({ name, right } as const)));
      await out.table(heads, stats.columns.map(columnCells), stats);
      return done;
    },
  },
];

/** Problems that are kept to be shown: the first ones tell what is wrong. */
const problemsMax = 10_000;

async function showVerification(
  out: Output,
  result: Awaited<ReturnType<typeof import('../index.js')['verifyMds']>>,
  problems: readonly MdsProblem[],
): Promise<void> {
  if (out.json) return out.document({ ...result, found: problems });
  for (const { shard, samples, message } of problems) {
    const place = shard === null ? 'index' : `shard ${shard}`;
    const which =
      samples === null
        ? ''
        : samples[0] === samples[1]
          ? `, sample ${samples[0]}`
          : `, samples ${samples[0]}–${samples[1]}`;
    await out.line(`${place}${which}: ${message}`);
  }
  if (problems.length > 0) await out.line('');
  const unknown = result.hashesUnknown.length === 0 ? '' : `; not known: ${result.hashesUnknown.join(', ')}`;
  await out.facts(
    [
      ['data set', result.uri],
      ['shards', out.count(result.shards)],
      ['files', out.count(result.files)],
      ['bytes', out.bytes(result.bytes)],
      ['hashes compared', `${out.count(result.hashes)}${unknown}`],
      ['samples decoded', out.count(result.samplesDecoded)],
      ['problems', out.count(result.problems)],
    ],
    result,
  );
}

function columnCells({ name, encoding, measure, least, mean, most, nulls, nans }: MdsColumnStats): string[] {
  const cell = (value: number | string | null): string => (value === null ? '' : String(value));
  return [
    name,
    encoding,
    measure ?? '',
    cell(least),
    mean === null ? '' : rounded(mean),
    cell(most),
    String(nulls),
    String(nans),
  ];
}

function spreadText({ least, mean, most }: MdsSpread): string {
  return mean === null ? 'none' : `${least} to ${most}, ${rounded(mean)} in the mean`;
}

const rounded = (value: number): string => String(Number(value.toPrecision(6)));
