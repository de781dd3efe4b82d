import { isSpiralError, SpiralError } from '../core/errors.js';
import { keyRangesMax } from '../core/limits.js';
import { packByteList, packNumbers, parseByteList, parseUint32, parseWholes, stringAt } from '../table/byte-list.js';
import { decodeFrame, encodeFrame, type FrameKind } from '../table/frame.js';
import { compareKeys } from '../table/key-compare.js';
import { storedBytes, storedList, storedObject, storedWhole, untrusted } from '../table/stored-value.js';
import type { KeyPieces } from './key-pieces.js';

const rangesFrame: FrameKind = { mark: 0x4b4c5053, layout: 1, what: 'the ranges of an index' }; // 'SPLK'

/** `pieces` of the index `index` as a file (`docs/format.md`). */
export function encodeRanges(index: string, sync: string, pieces: KeyPieces): Uint8Array {
  const { names, parts, from, to, rows, begins, end, ranges } = pieces;
  return encodeFrame(rangesFrame, {
    index,
    sync,
    count: parts.length,
    names: [...names],
    parts: packNumbers(parts),
    from: packNumbers(from),
    to: packNumbers(to),
    rows: packNumbers(rows),
    begins: packByteList(begins),
    end,
    rangeCount: ranges.length,
    ranges: packNumbers(ranges),
  });
}

/**
 * The pieces in `bytes`, the file of the sync `sync` of the index `index` that is called `file` in messages.
 *
 * @throws SpiralError `corrupt_log` for anything else, `unsupported` for one that a newer release wrote.
 */
export function decodeRanges(
  bytes: Uint8Array,
  of: { readonly index: string; readonly sync: string; readonly granularity: number; readonly file: string },
): KeyPieces {
  try {
    const raw = storedObject(decodeFrame(rangesFrame, bytes), 'the ranges');
    for (const key of ['index', 'sync'] as const) {
      if (raw[key] !== of[key]) throw untrusted(`its ${key}`, of[key], raw[key]);
    }
    const pieces = parsePieces(raw);
    checkPieces(pieces, of.granularity);
    return pieces;
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    if (error.code === 'unsupported') {
      throw new SpiralError(
        'unsupported',
        `Expected ${of.file} to be of a layout that this release knows, found ${error.message}. It was written by a newer ` +
          'spiral-loader: update this one.',
        { details: { file: of.file } },
      );
    }
    throw new SpiralError(
      'corrupt_log',
      `Expected ${of.file} to be ${rangesFrame.what}, found ${error.message.replace(/\.$/, '')}. Sync the index again: it is made ` +
        'of its table anew.',
      { details: { file: of.file }, cause: error },
    );
  }
}

function parsePieces(raw: Readonly<Record<string, unknown>>): KeyPieces {
  const names = storedList(raw['names'], 'the names of parts').map((name) => {
    if (typeof name === 'string') return name;
    throw untrusted('the name of a part', 'text', name);
  });
  // Every part has a piece at least, so more than twice as many as ranges can only be many tiny parts.
  const count = storedWhole(raw['count'], 'the number of pieces', 0, keyRangesMax);
  const rangeCount = storedWhole(raw['rangeCount'], 'the number of ranges', 0, count);
  return {
    names,
    parts: parseUint32(raw['parts'], count, 'the parts'),
    from: parseWholes(raw['from'], count, 'where pieces begin'),
    to: parseWholes(raw['to'], count, 'where pieces end'),
    rows: parseWholes(raw['rows'], count, 'the rows of pieces'),
    begins: parseByteList(raw['begins'], count, 'the keys'),
    end: storedBytes(raw['end'], 'the last key'),
    ranges: parseUint32(raw['ranges'], rangeCount, 'the ranges'),
  };
}

/** What a checksum holds is checked for its form all the same: nothing later does. */
function checkPieces({ names, parts, from, to, rows, begins, end, ranges }: KeyPieces, granularity: number): void {
  for (const [at, part] of parts.entries()) {
    const before = at === 0 ? -1 : parts[at - 1]!;
    const start = part === before ? to[at - 1]! : 0;
    const follows = part === before || part === before + 1;
    if (!follows || from[at] !== start || to[at]! <= start || rows[at]! > to[at]! - start) {
      throw untrusted(
        `piece ${at}`,
        'rows behind those of the piece before',
        `${from[at]} to ${to[at]} of part ${part}`,
      );
    }
    const next = at + 1 < parts.length ? stringAt(begins, at + 1) : end;
    if (compareKeys(stringAt(begins, at), next) >= 0) throw untrusted(`the key of piece ${at}`, 'below the next', next);
  }
  if (names.length !== (parts.at(-1) ?? -1) + 1) throw untrusted('the names of parts', 'one for each', names.length);
  let at = 0;
  for (const [range, pieces] of ranges.entries()) {
    if (pieces <= at || pieces > parts.length) throw untrusted(`range ${range}`, 'pieces', pieces);
    let own = 0;
    for (; at < pieces; at++) own += rows[at]!;
    if (own === 0 || own > 2 * granularity)
      throw untrusted(`range ${range}`, `rows of a granularity ${granularity}`, own);
  }
  if (at !== parts.length && (ranges.length > 0 || rows.some((own) => own > 0))) {
    throw untrusted('the ranges', `all ${parts.length} pieces`, at);
  }
}
