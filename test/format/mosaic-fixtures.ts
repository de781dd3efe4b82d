import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Data sets that MosaicML Streaming itself wrote; undefined where the folder is not there. */
export const mosaicFixtures: string | undefined = [process.env['SPIRAL_FIXTURES'], '../shared/fixtures']
  .flatMap((folder) => (folder === undefined ? [] : [resolve(folder, 'mosaic')]))
  .find((folder) => existsSync(resolve(folder, 'mds/manifest.json')));

/** A data set of the fixtures. */
export interface MosaicFixture {
  readonly name: string;
  readonly folder: string;
  /** The columns as they were given to the writer, with their encodings. */
  readonly columns: Readonly<Record<string, string>>;
  readonly samples: readonly Readonly<Record<string, unknown>>[];
}

/** Every data set whose values are known. */
export function allMosaicFixtures(): MosaicFixture[] {
  if (mosaicFixtures === undefined) return [];
  const manifest = JSON.parse(readFileSync(`${mosaicFixtures}/mds/manifest.json`, 'utf8')) as {
    fixtures: { name: string; split: string | null }[];
  };
  return manifest.fixtures.flatMap(({ name, split }) => {
    const file = `${mosaicFixtures}/expected/${name.replaceAll('/', '__')}${split === null ? '' : `.${split}`}.json`;
    if (!existsSync(file)) return [];
    const expected = JSON.parse(readFileSync(file, 'utf8')) as {
      columns: Record<string, string>;
      samples: Record<string, unknown>[];
    };
    const folder = `${mosaicFixtures}/mds/${name}${split === null ? '' : `/${split}`}`;
    const { columns, samples } = expected;
    return [{ name: split === null ? name : `${name}/${split}`, folder, columns, samples }];
  });
}

/** What the fixtures say of a value that was read as `found`, in their own words, so that both can be compared. */
export function inFixtureWords(expected: unknown, found: unknown): unknown {
  if (Array.isArray(expected)) return [...(found as Iterable<unknown>)];
  if (typeof expected !== 'object' || expected === null) {
    if (typeof found === 'bigint') return Number(found);
    return typeof expected === 'number' && typeof found === 'string' ? Number(found) : found;
  }
  const [kind, value] = (Object.entries(expected)[0] ?? ['', undefined]) as [string, unknown];
  switch (kind) {
    case '$int':
      return { $int: String(found) };
    case '$float':
      return { $float: floatWord(found as number) };
    case '$bytes':
      return { $bytes: Buffer.from(found as Uint8Array).toString('hex') };
    case '$bytes_sha1':
      return { ...expected, $bytes_sha1: sha1(found as Uint8Array) };
    case '$decimal':
      return { $decimal: found };
    case '$scalar':
      return { ...expected, value: scalar((expected as { value: unknown }).value, found) };
    case '$ndarray':
      return { $ndarray: { ...(value as object), ...arrayWords(found) } };
    case '$image':
      return { $image: { ...(value as object), ...imageWords(found) } };
    case '$list':
      return {
        $list: [...(found as Iterable<unknown>)].map((item, at) => inFixtureWords((value as unknown[])[at], item)),
      };
  }
  return found;
}

function scalar(expected: unknown, found: unknown): unknown {
  if (typeof expected === 'object') return inFixtureWords(expected, found);
  return typeof found === 'bigint' ? Number(found) : found;
}

function floatWord(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return Object.is(value, -0) ? '-0' : value > 0 ? 'inf' : '-inf';
}

interface Numbers extends Iterable<unknown> {
  toArray(): ArrayBufferView;
}

/** Arrays with a shape of their own; those of one shape are lists of lists. */
function arrayWords(found: unknown): object {
  const struct = found as { dtype?: string; shape?: Iterable<number>; values?: Numbers; data?: Uint8Array };
  const bytes = struct.data ?? struct.values?.toArray();
  if (struct.shape === undefined || bytes === undefined) return flatWords(found as Numbers);
  const dtype = struct.dtype === undefined ? {} : { dtype: struct.dtype };
  return { ...dtype, shape: [...struct.shape], sha1: sha1(bytes), nbytes: bytes.byteLength };
}

function flatWords(found: Numbers): object {
  const rows = [...found];
  if (typeof rows[0] !== 'object') {
    const bytes = found.toArray();
    return { shape: [rows.length], sha1: sha1(bytes), nbytes: bytes.byteLength };
  }
  const bytes = Buffer.concat(rows.map((row) => Buffer.from(viewed((row as Numbers).toArray()))));
  return { shape: [rows.length, [...(rows[0] as Numbers)].length], sha1: sha1(bytes), nbytes: bytes.length };
}

/** Of encoded images only the kind: what their pixels are is for a decoder to say. */
function imageWords(found: unknown): object {
  if (found instanceof Uint8Array) return { format: found[0] === 0xff ? 'JPEG' : 'PNG' };
  const { width, height, mode, pixels } = found as { width: number; height: number; mode: string; pixels: Uint8Array };
  return { size: [width, height], mode, pixels_sha1: sha1(pixels), pixels_len: pixels.length };
}

const viewed = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const sha1 = (view: ArrayBufferView): string => createHash('sha1').update(viewed(view)).digest('hex');
