import { SpiralError } from '../../core/errors.js';
import { corrupt } from '../../format/corrupt.js';
import { type MdsShard, parseMdsIndex } from '../../format/mds-index.js';
import { jsonText } from '../../format/python-json.js';

/** A shard, as an index tells it in JSON. */
export type ShardEntry = Readonly<Record<string, unknown>>;

/** Shards that were written, in order. */
export interface WrittenShards {
  readonly entries: readonly ShardEntry[];
  readonly shards: readonly MdsShard[];
}

/** No shards. */
export const noShards: WrittenShards = { entries: [], shards: [] };

/**
 * The shards that an index, or a checkpoint of a writer, tells. @throws SpiralError as `parseMdsIndex`.
 */
export function parseShards(text: string, where: string): WrittenShards {
  const shards = parseMdsIndex(text, where);
  const { shards: entries } = JSON.parse(text) as { shards: ShardEntry[] };
  return { entries, shards };
}

/** An index of `entries`, as MosaicML's writers make it. */
export function indexText(entries: readonly ShardEntry[]): string {
  return jsonText({ shards: entries, version: 2 }, true);
}

/** The files of a shard as they are stored. */
export function storedFiles({ rawData, zipData, rawMeta, zipMeta }: MdsShard): { path: string; bytes: number }[] {
  return [zipData ?? rawData, zipMeta ?? rawMeta].flatMap((file) => {
    return file === undefined ? [] : [{ path: file.basename, bytes: file.bytes }];
  });
}

/** The first `count` of `written`. */
export function firstShards({ entries, shards }: WrittenShards, count: number): WrittenShards {
  return { entries: entries.slice(0, count), shards: shards.slice(0, count) };
}

/** Settings in which shards of one data set must agree. */
const agreed = [
  'format',
  'version',
  'columns',
  'column_names',
  'column_encodings',
  'column_sizes',
  'newline',
  'separator',
];

/**
 * Refuses shards that were written with other columns, or in another format, than `settings` say.
 *
 * @throws SpiralError `state_mismatch`, naming what differs.
 */
export function checkSettings(
  { entries }: WrittenShards,
  settings: Readonly<Record<string, unknown>>,
  where: string,
): void {
  for (const [at, entry] of entries.entries()) {
    for (const name of agreed) {
      const [expected, found] = [settings[name], entry[name]].map((value) => jsonText(value ?? null, true));
      if (expected === found) continue;
      throw new SpiralError(
        'state_mismatch',
        `Expected shard ${at} of ${where} to have been written with the \`${name}\` ${expected}, found ${found}. Go on with ` +
          'the settings that it was begun with, or write to another folder.',
        { details: { where, shard: at, name, expected, found } },
      );
    }
  }
}

/** Refuses shards of which two have one file. @throws SpiralError `corrupt_file`. */
export function checkDistinct({ shards }: WrittenShards, where: string): void {
  const seen = new Set<string>();
  for (const { path } of shards.flatMap(storedFiles)) {
    if (seen.has(path)) throw corrupt(where, 'each file once', `${path} twice`);
    seen.add(path);
  }
}
