import { parquetHeader } from 'hyparquet/src/column.js';
import type { PageHeader } from 'hyparquet/src/types.js';
import { checksum } from '../arrow/checksum.js';
import { bitsFor, checkHybrid, constantOf, readHybrid } from './hybrid-levels.js';
import type { PageCodec } from './parquet-codec.js';
import { addValues, type DenseValues, denseValues } from './parquet-dense.js';
import type { ParquetLeaf } from './parquet-tree.js';
import { checkThrift } from './thrift-check.js';

/** A column chunk, decoded: its entries' levels, and the values of those that are defined in full. */
export interface ParquetChunk {
  readonly leaf: ParquetLeaf;
  readonly entries: number;
  /** Definition levels; undefined where all are the leaf's highest. */
  readonly def: Uint8Array | undefined;
  /** Repetition levels; undefined where all are 0. */
  readonly rep: Uint8Array | undefined;
  readonly values: DenseValues;
}

/** The levels and values of one page. */
interface Page {
  readonly entries: number;
  readonly def: Uint8Array | undefined;
  readonly rep: Uint8Array | undefined;
}

/**
 * Decodes the column chunk in `bytes`, which holds `entries` entries.
 *
 * @throws Error, which says what cannot be; the caller knows the place.
 */
export function readChunk(leaf: ParquetLeaf, bytes: Uint8Array, entries: number, codec: PageCodec): ParquetChunk {
  const stored = storedPages(bytes, entries);
  const values = denseValues(leaf.element, entries);
  const pages: Page[] = [];
  let dictionary: DenseValues | undefined;
  let before = 0;
  for (const { header, body, end } of stored) {
    const isDictionary = header.dictionary_page_header !== undefined && header.type === 'DICTIONARY_PAGE';
    if (isDictionary) dictionary = readDictionary(leaf, header, body, codec);
    else {
      // What comes later is likely to be as dense as what was seen: room for all of it is made at once.
      values.share = (end - before) / (bytes.length - before);
      pages.push(readPage(leaf, header, body, { codec, values, dictionary }));
    }
    before = end;
  }
  const { maxDef } = leaf;
  return {
    leaf,
    entries,
    def: pages.some(({ def }) => def !== undefined) ? joined(pages, ({ def }) => def, entries, maxDef) : undefined,
    rep: leaf.maxRep === 0 ? undefined : joined(pages, ({ rep }) => rep, entries, 0),
    values,
  };
}

/** A page as it is stored. */
interface StoredPage {
  readonly header: PageHeader;
  readonly body: Uint8Array;
  /** Where it ends in its column chunk. */
  readonly end: number;
}

/**
 * The pages that hold `entries` entries, and their dictionary. All headers are looked at before any page is: that they agree
 * with the column chunk is known before memory is set aside for so many.
 */
function storedPages(bytes: Uint8Array, entries: number): StoredPage[] {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const pages: StoredPage[] = [];
  for (let seen = 0; seen < entries; ) {
    checkThrift(bytes, reader.offset);
    const header = parquetHeader(reader);
    const size = header.compressed_page_size;
    if (!(size >= 0) || reader.offset + size > bytes.length) throw new Error('a page reaches beyond its column chunk');
    const body = bytes.subarray(reader.offset, reader.offset + size);
    reader.offset += size;
    if (header.crc !== undefined && checksum(body) !== header.crc >>> 0) throw new Error('a page fails its checksum');
    const data = header.data_page_header ?? header.data_page_header_v2;
    if (data !== undefined) {
      const left = entries - seen;
      if (!(data.num_values >= 0 && data.num_values <= left)) {
        throw new Error(`a page of ${data.num_values} entries where ${left} are left`);
      }
      seen += data.num_values;
    } else if (header.dictionary_page_header === undefined || header.type !== 'DICTIONARY_PAGE') continue;
    pages.push({ header, body, end: reader.offset });
  }
  return pages;
}

function joined(
  pages: readonly Page[],
  levelsOf: (page: Page) => Uint8Array | undefined,
  entries: number,
  otherwise: number,
): Uint8Array {
  const [first] = pages;
  if (pages.length === 1) return levelsOf(first!) ?? new Uint8Array(entries).fill(otherwise);
  const levels = new Uint8Array(entries);
  let at = 0;
  for (const page of pages) {
    const own = levelsOf(page);
    if (own === undefined) levels.fill(otherwise, at, at + page.entries);
    else levels.set(own, at);
    at += page.entries;
  }
  return levels;
}

function readDictionary(leaf: ParquetLeaf, header: PageHeader, stored: Uint8Array, codec: PageCodec): DenseValues {
  const count = header.dictionary_page_header!.num_values;
  const page = decompressed(stored, header.uncompressed_page_size, codec);
  // A value takes a bit at least: a count beyond that is damage, not a reason to take memory.
  if (!(count >= 0 && count <= 8 * page.length))
    throw new Error(`a dictionary of ${count} values in ${page.length} bytes`);
  const dictionary = denseValues(leaf.element, count);
  addValues(dictionary, 'PLAIN', leaf.element, { bytes: page, from: 0 }, count, undefined);
  return dictionary;
}

interface PageTarget {
  readonly codec: PageCodec;
  readonly values: DenseValues;
  readonly dictionary: DenseValues | undefined;
}

function readPage(leaf: ParquetLeaf, header: PageHeader, stored: Uint8Array, target: PageTarget): Page {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const entries = (first ?? second)!.num_values;
  const { element, maxDef, maxRep } = leaf;
  let [page, from] = [stored, 0];
  let [rep, def]: (Uint8Array | undefined)[] = [];
  if (first !== undefined) {
    page = decompressed(stored, header.uncompressed_page_size, target.codec);
    const levels = (max: number, usual: number, encoding: string): Uint8Array | undefined => {
      if (max === 0) return undefined;
      if (encoding !== 'RLE') throw new Error(`levels in the encoding ${encoding}`);
      if (from + 4 > page.length) throw new Error('levels are cut short');
      const size = new DataView(page.buffer, page.byteOffset).getUint32(from, true);
      const start = from + 4;
      from = start + size;
      if (from > page.length) throw new Error('levels reach beyond their page');
      return readLevels(page, start, from, { max, usual, entries });
    };
    rep = levels(maxRep, 0, first.repetition_level_encoding);
    def = levels(maxDef, maxDef, first.definition_level_encoding);
  } else {
    const { repetition_levels_byte_length: reps, definition_levels_byte_length: defs, is_compressed } = second!;
    const start = reps + defs;
    if (!(reps >= 0 && defs >= 0 && start <= stored.length)) throw new Error('levels reach beyond their page');
    if (maxRep > 0) rep = readLevels(stored, 0, reps, { max: maxRep, usual: 0, entries });
    if (maxDef > 0) def = readLevels(stored, reps, start, { max: maxDef, usual: maxDef, entries });
    page = stored.subarray(start);
    const size = header.uncompressed_page_size - start;
    if (is_compressed !== false && page.length > 0) page = decompressed(page, size, target.codec);
  }
  const encoding = (first ?? second)!.encoding;
  const count = def === undefined ? entries : occurrences(def, maxDef);
  addValues(target.values, encoding, element, { bytes: page, from }, count, target.dictionary);
  return { entries, def, rep };
}

/** Levels up to `max`; undefined where all are the usual one. */
function readLevels(
  bytes: Uint8Array,
  from: number,
  to: number,
  { max, usual, entries }: { max: number; usual: number; entries: number },
): Uint8Array | undefined {
  const width = bitsFor(max);
  if (constantOf(bytes, from, to, width, entries) === usual) return undefined;
  checkHybrid(bytes, from, to, width, entries);
  const levels = new Uint8Array(entries);
  readHybrid(bytes, from, to, width, levels, entries);
  for (let at = 0; at < entries; at++) {
    if (levels[at]! > max) throw new Error(`a level of ${levels[at]} where ${max} is the highest`);
  }
  return levels;
}

function occurrences(levels: Uint8Array, wanted: number): number {
  let count = 0;
  for (let at = 0; at < levels.length; at++) if (levels[at] === wanted) count++;
  return count;
}

function decompressed(stored: Uint8Array, size: number, codec: PageCodec): Uint8Array {
  if (!(size >= 0)) throw new Error(`a page of ${size} bytes`);
  if (size === 0) return new Uint8Array(0);
  const page = codec(stored, size);
  if (page.length !== size) throw new Error(`a page of ${page.length} bytes where its header says ${size}`);
  return page;
}
