import { isUtf8 } from 'node:buffer';
import type { Data, Schema } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { textChunkBytes, textGroupBytes, textGroupRows } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { corrupt } from './corrupt.js';
import type { GroupOptions, RowFile, RowFileOptions, RowGroup } from './row-file.js';
import type { TextFormat } from './text-format.js';
import { GroupList, type TextIndex } from './text-groups.js';
import { encodeTextIndex, knownTextIndex, textIndexKey } from './text-index.js';
import { TextPlace } from './text-place.js';
import { countRead, streamRows } from './text-stream.js';

/** How much of a text file is read, and parsed, at once. */
export interface TextSizes {
  /** Rows of a group at most. Default 4,096. */
  readonly groupRows?: number;
  /** Bytes of a group at most, a single longer row apart. Default 1 MiB. */
  readonly groupBytes?: number;
  /** Bytes of one read of the pass over the file. Default 1 MiB. */
  readonly chunkBytes?: number;
}

/** How compressed files begin, and what unpacks them. */
const compressions: readonly (readonly [name: string, ending: RegExp, mark: string, command: string])[] = [
  ['gzip', /\.gz$/i, '1f8b', 'gunzip'],
  ['zstd', /\.zst$/i, '28b52ffd', 'unzstd'],
  ['bzip2', /\.bz2$/i, '425a68', 'bunzip2'],
  ['xz', /\.xz$/i, 'fd377a585a00', 'unxz'],
  ['lz4', /\.lz4$/i, '04224d18', 'unlz4'],
  ['zip', /\.zip$/i, '504b0304', 'unzip'],
];
const markBytes = 6;

/**
 * Opens a text file of rows. Its rows are found, and their types where no schema is given, in one pass over the file, which is
 * remembered: in this process, in `options.indexes` for others, and in the `index` of what is returned.
 *
 * @throws SpiralError `unsupported` for compressed text and UTF-16; `corrupt_file`, `type_mismatch`, `invalid_schema`,
 * `limit_exceeded` for rows that have no types; what the store rejects with.
 */
export async function openTextFile(
  format: TextFormat,
  store: ObjectStore,
  path: string,
  size: number,
  options: RowFileOptions,
  sizes: TextSizes,
): Promise<RowFile> {
  const { groupRows: rows = textGroupRows, groupBytes: bytes = textGroupBytes, chunkBytes = textChunkBytes } = sizes;
  const where = `${store.uri}/${path}`;
  const key = textIndexKey(where, size, options, `${format.key(path)} ${rows} ${bytes}`);
  const found = await knownTextIndex(key, size, options, async () => {
    const place = new TextPlace(where);
    const start = await textStart(store, path, size, where, options);
    const pass = format.beginPass(path, options.schema, new GroupList({ rows, bytes }), place);
    await streamRows(store, path, { start, size }, chunkBytes, (block) => pass.take(block), place, options);
    return pass.finish();
  });
  const index = options.schema === undefined ? found : { ...found, schema: options.schema };
  return new TextFile(format, store, path, index, key);
}

class TextFile implements RowFile {
  readonly schema: Schema;
  readonly groups: readonly RowGroup[];
  readonly #format: TextFormat;
  readonly #store: ObjectStore;
  readonly #path: string;
  readonly #index: TextIndex;
  readonly #key: string;

  constructor(format: TextFormat, store: ObjectStore, path: string, index: TextIndex, key: string) {
    const { schema, starts, rowStarts } = index;
    this.schema = schema;
    this.groups = Array.from({ length: starts.length - 1 }, (_, group) => ({
      rows: rowStarts[group + 1]! - rowStarts[group]!,
      bytes: starts[group + 1]! - starts[group]!,
    }));
    this.#format = format;
    this.#store = store;
    this.#path = path;
    this.#index = index;
    this.#key = key;
  }

  get index(): Uint8Array {
    return encodeTextIndex(this.#key, this.#index);
  }

  readGroup(group: number, columns: readonly number[], options?: GroupOptions): Promise<Data[]> {
    return this.readRows(group, 0, this.groups[group]!.rows, columns, options);
  }

  async readRows(
    group: number,
    fromRow: number,
    toRow: number,
    columns: readonly number[],
    options: GroupOptions = {},
  ): Promise<Data[]> {
    const { starts, rowStarts } = this.#index;
    const { rows: expected, bytes: length } = this.groups[group]!;
    const distinct = [...new Set(columns)];
    if (distinct.length === 0) return [];
    const from = starts[group]!;
    const read = await this.#store.getRange(this.#path, from, length, { signal: options.signal });
    countRead(options, length);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    const where = `${this.#store.uri}/${this.#path}`;
    const place = new TextPlace(where, group, rowStarts[group]!, from);
    const rows = { from: fromRow, to: toRow, columns: distinct };
    const text = { bytes, isUtf8: isUtf8(bytes), index: this.#index, ...rows, place };
    const { data, rows: found } = this.#format.readGroup(this.#path, text);
    if (found !== expected) throw corrupt(where, `${expected} rows in group ${group}`, `${found}: it was changed`);
    return columns.map((column) => data[distinct.indexOf(column)]!);
  }
}

/** Where the text of the file begins, after its BOM if it has one. */
async function textStart(
  store: ObjectStore,
  path: string,
  size: number,
  where: string,
  options: GroupOptions,
): Promise<number> {
  const head = await store.getRange(path, 0, Math.min(size, markBytes), { signal: options.signal });
  countRead(options, head.length);
  const mark = Buffer.from(head).toString('hex');
  const compressed = compressions.find(([, ending, start]) => ending.test(path) || mark.startsWith(start));
  if (compressed !== undefined) {
    const [name, , , command] = compressed;
    throw new SpiralError(
      'unsupported',
      `Expected plain text in ${where}, found ${name}: rows in compressed text cannot be read by themselves. Unpack it with ` +
        `\`${command}\`.`,
      { details: { file: where, found: name } },
    );
  }
  if (mark.startsWith('fffe') || mark.startsWith('feff')) {
    throw new SpiralError(
      'unsupported',
      `Expected UTF-8 in ${where}, found UTF-16. Convert it: \`iconv -f utf-16 -t utf-8\`.`,
      { details: { file: where, found: 'utf-16' } },
    );
  }
  return mark.startsWith('efbbbf') ? 3 : 0;
}
