import type { CommandSpec } from './command.js';
import { done, misuse } from './failure.js';
import { openScan, queryOptions, sourceArgument } from './source.js';

const formats = ['parquet', 'arrow', 'jsonl'] as const;
type ExportFormat = (typeof formats)[number];

/** `spiral tables export`. */
export const exportCommand: CommandSpec = {
  words: ['tables', 'export'],
  about: 'write rows to a file: whole or not at all',
  arguments: [sourceArgument, { name: 'file', about: 'a path or URI; its extension tells the format' }],
  options: [
    { name: 'as', value: 'format', choices: formats, about: 'where the extension is not .parquet, .arrow or .jsonl' },
    ...queryOptions,
  ],
  examples: [
    'tables export demo/images images.parquet',
    'tables export demo/images cats.jsonl --where "label = \'cat\'" --select id,label',
  ],
  stops: true,
  run: async (call) => {
    const { line, out, signal } = call;
    const file = line.argument('file');
    const format = formatOf(file, line.text('as') as ExportFormat | undefined);
    const scan = await openScan(call);
    const options = { signal, hideProgressBar: out.quiet };
    const written =
      format === 'parquet'
        ? await scan.toParquet(file, options)
        : format === 'arrow'
          ? await scan.toArrowFile(file, options)
          : await scan.toJsonl(file, options);
    const facts = [
      ['file', file],
      ['rows', out.count(written.rows)],
      ['bytes', out.bytes(written.bytes)],
    ] as const;
    await out.facts(facts, { file, ...written });
    return done;
  },
};

function formatOf(file: string, given: ExportFormat | undefined): ExportFormat {
  const extension = file.slice(file.lastIndexOf('.') + 1).toLowerCase();
  const found = given ?? formats.find((format) => format === extension);
  if (found !== undefined) return found;
  throw misuse(`Expected a file that ends in .parquet, .arrow or .jsonl, or --as with the format, got '${file}'.`, {
    file,
  });
}
