import { type SchemaLike, schemaWords, toSchema } from '../arrow/schema.js';
import { checkSignal } from '../core/abort.js';
import { knownOptions, oneOf } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import type { MdsSettings } from '../format/mds-file.js';
import { comparePaths } from '../storage/object-path.js';
import { openStore } from '../storage/open-store.js';
import type { ObjectInfo, ObjectStore } from '../storage/store.js';
import {
  type CsvSettings,
  extensionWords,
  type FileFormat,
  fileFormats,
  formatFacts,
  formatOf,
  unknownFormat,
} from './file-format.js';
import { globTest, isGlob } from './file-glob.js';
import { type FilePlace, filePlace } from './file-place.js';
import type { FileSet } from './file-set.js';
import { isMdsIndex, mdsIndexes, mdsIndexName, wantedMds } from './mds-data-sets.js';

/** Which files, and how they are read. */
export interface FindOptions {
  readonly format?: FileFormat | undefined;
  readonly schema?: SchemaLike | undefined;
  /** Of CSV files. */
  readonly csv?: CsvSettings | undefined;
  /** Of MDS data sets. */
  readonly mds?: MdsSettings | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A {@link FilePlace} found to be a file, a folder, or a pattern below the folder of its first segments. */
interface Found {
  readonly place: FilePlace;
  readonly kind: 'file' | 'folder' | 'pattern';
  /** How many segments name the folder. */
  readonly folder: number;
}

/**
 * The files at `uris`, as they are now: each a file, a folder (all files below it that are of the format, and not hidden) or
 * a pattern.
 *
 * @throws SpiralError `invalid_argument` for no URIs, URIs of several stores, files of several formats or of none, and a
 * schema for files that have one; `unsupported` for schemes and formats that are not read; `not_found` where a file, a
 * folder or a match is missing; `invalid_schema`.
 */
export async function findFiles(uris: readonly string[], options: FindOptions = {}): Promise<FileSet> {
  const wanted = wantedFormat(options.format);
  if (!Array.isArray(uris) || uris.length === 0) {
    throw new SpiralError('invalid_argument', 'Expected a path, folder or pattern of files, or several, got none.');
  }
  const places = uris.map(filePlace);
  const found = await Promise.all(places.map((place) => lookAt(place, wanted, options.signal)));
  const depth = sharedDepth(found);
  const [first] = places;
  const store = openStore(first!.open(first!.segments.slice(0, depth)));
  try {
    const files = new Map<string, ObjectInfo>();
    for (const at of found) for (const info of await infosAt(store, at, depth, options)) files.set(info.path, info);
    const sorted = [...files.values()].sort((a, b) => comparePaths(a.path, b.path));
    const format = wanted ?? sharedFormat(sorted);
    return {
      root: store.uri,
      format,
      schema: wantedSchema(options.schema, format),
      csv: wantedCsv(options.csv, format),
      mds: wantedMds(options.mds, format),
      files: sorted.map(({ path, size, modifiedMs }) => ({ path, size, modifiedMs })),
    };
  } finally {
    await store.close();
  }
}

/** The files at one place; `depth` segments of it name the root of `store`. */
async function infosAt(store: ObjectStore, at: Found, depth: number, options: FindOptions): Promise<ObjectInfo[]> {
  const wanted = wantedFormat(options.format);
  const infos: ObjectInfo[] = [];
  const rest = at.place.segments.slice(depth);
  if (at.kind === 'file') infos.push((await store.head(rest.join('/'), options))!);
  else {
    const prefix = rest
      .slice(0, at.folder - depth)
      .map((segment) => `${segment}/`)
      .join('');
    const isWanted = at.kind === 'pattern' ? globTest(rest.join('/')) : inFolder(prefix, wanted);
    for await (const info of store.list(prefix, options)) if (isWanted(info.path)) infos.push(info);
  }
  if (infos.length === 0) throw nothingFound(at, wanted);
  return wanted === 'mds' ? mdsIndexes(infos, at.place.uri) : infos;
}

function wantedFormat(format: unknown): FileFormat | undefined {
  return format === undefined ? undefined : oneOf('format', format, fileFormats);
}

function wantedSchema(schema: SchemaLike | undefined, format: FileFormat): FileSet['schema'] {
  if (schema === undefined) return null;
  if (!formatFacts(format).typed) return schemaWords(toSchema(schema, 'the schema of the files'));
  throw new SpiralError(
    'invalid_argument',
    `Expected no \`schema\` for files of the format '${format}', which tell the types of their columns. Leave it out.`,
    { details: { format } },
  );
}

function wantedCsv(csv: CsvSettings | undefined, format: FileFormat): CsvSettings {
  if (csv === undefined) return {};
  if (format !== 'csv' || typeof csv !== 'object' || csv === null) {
    const found = format === 'csv' ? shown(csv) : `files of the format '${format}'`;
    throw new SpiralError(
      'invalid_argument',
      `Expected \`csv\` to be { delimiter, header } for CSV files, got ${found}.`,
      {
        details: { format },
      },
    );
  }
  knownOptions('csv', csv, ['delimiter', 'header']);
  const { delimiter, header } = csv;
  if (header !== undefined && typeof header !== 'boolean') {
    throw new SpiralError('invalid_argument', `Expected \`header\` to be true or false, got ${shown(header)}.`);
  }
  return { ...(delimiter === undefined ? {} : { delimiter }), ...(header === undefined ? {} : { header }) };
}

/** A file that is there wins over a pattern of the same signs. */
async function lookAt(
  place: FilePlace,
  wanted: FileFormat | undefined,
  signal: AbortSignal | undefined,
): Promise<Found> {
  checkSignal(signal, `The look at ${place.uri}`);
  const { segments } = place;
  if (await isFile(place, segments, signal)) return { place, kind: 'file', folder: segments.length - 1 };
  if (!place.lists) {
    const index = [...segments, mdsIndexName];
    if (wanted !== 'mds' || !(await isFile(place, index, signal))) throw noSuchFile(place);
    return { place: { ...place, segments: index }, kind: 'file', folder: segments.length };
  }
  const fixed = segments.findIndex(isGlob);
  return fixed < 0 ? { place, kind: 'folder', folder: segments.length } : { place, kind: 'pattern', folder: fixed };
}

async function isFile(
  place: FilePlace,
  segments: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const name = segments.at(-1);
  if (name === undefined) return false;
  const store = openStore(place.open(segments.slice(0, -1)));
  try {
    return (await store.head(name, { signal })) !== undefined;
  } finally {
    await store.close();
  }
}

function noSuchFile({ uri }: FilePlace): SpiralError {
  return new SpiralError(
    'not_found',
    `Expected a file at ${shown(uri)}, found none. Web servers list no folders: name each file, or the folder of an MDS data set with \`format: 'mds'\`.`,
    { details: { uri } },
  );
}

/** How many segments all folders of `found` share. */
function sharedDepth(found: readonly Found[]): number {
  const [first] = found;
  let depth = first!.folder;
  for (const { place, folder } of found) {
    if (place.store !== first!.place.store) {
      throw new SpiralError(
        'invalid_argument',
        `Expected files of one store, got ${shown(first!.place.uri)} and ${shown(place.uri)}. Scan them apart.`,
        { details: { uris: [first!.place.uri, place.uri] } },
      );
    }
    depth = Math.min(depth, folder);
    const differs = place.segments.slice(0, depth).findIndex((segment, at) => segment !== first!.place.segments[at]);
    if (differs >= 0) depth = differs;
  }
  return depth;
}

/** The files of a folder that are of the wanted format, or of any: no hidden ones, and none in hidden folders. */
function inFolder(prefix: string, wanted: FileFormat | undefined): (path: string) => boolean {
  return (path) => {
    const format = wanted === 'mds' && isMdsIndex(path) ? wanted : formatOf(path);
    if (format === undefined || (wanted !== undefined && format !== wanted)) return false;
    return path
      .slice(prefix.length)
      .split('/')
      .every((segment) => !/^[._]/.test(segment));
  };
}

function sharedFormat(files: readonly ObjectInfo[]): FileFormat {
  const [first] = files;
  const format = formatOf(first!.path);
  if (format === undefined) throw unknownFormat(first!.path);
  for (const { path } of files) {
    const other = formatOf(path);
    if (other === undefined) throw unknownFormat(path);
    if (other === format) continue;
    throw new SpiralError(
      'invalid_argument',
      `Expected files of one format, found ${first!.path} (${format}) and ${path} (${other}). Name those of one format, or ` +
        'give the option `format`.',
      { details: { files: [first!.path, path], formats: [format, other] } },
    );
  }
  return format;
}

function nothingFound({ place, kind }: Found, wanted: FileFormat | undefined): SpiralError {
  const what = wanted === undefined ? `of a format that is read (${extensionWords()})` : `of the format '${wanted}'`;
  const message =
    kind === 'pattern'
      ? `Expected files that match ${shown(place.uri)}, found none; names that begin with '.' or '_' are passed over.`
      : `Expected ${shown(place.uri)} to be a file, or a folder with files ${what}, found none.`;
  return new SpiralError('not_found', `${message} Check the path.`, { details: { uri: place.uri } });
}
