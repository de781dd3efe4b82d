// Without its native part, which takes a thread ten milliseconds to load, more than what is packed here.
import { Packr } from 'msgpackr/pack';
import { checksum } from '../arrow/checksum.js';
import { SpiralError } from '../core/errors.js';

/** A kind of metadata file: a mark, the layout's version, the CRC-32 of all else, then msgpack (`docs/format.md`). */
export interface FrameKind {
  /** Four bytes, as a little-endian number. */
  readonly mark: number;
  /** The one layout that is read and written. */
  readonly layout: number;
  /** As it stands in messages: `a log entry`. */
  readonly what: string;
}

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });
const headerBytes = 12;

/** `content` as a file of `kind`. */
export function encodeFrame(kind: FrameKind, content: unknown): Uint8Array {
  const body = packr.pack(content);
  const bytes = new Uint8Array(headerBytes + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, kind.mark, true);
  view.setUint32(4, kind.layout, true);
  bytes.set(body, headerBytes);
  view.setUint32(8, checksum(body, checksum(bytes.subarray(0, 8))), true);
  return bytes;
}

/**
 * What a file of `kind` holds, decoded but not checked for its form; byte strings in it are views of `bytes`.
 *
 * @throws SpiralError `corrupt_log` for anything else; `unsupported` for another layout. Whoever read the file adds its
 * name.
 */
export function decodeFrame(kind: FrameKind, bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < headerBytes || view.getUint32(0, true) !== kind.mark) {
    throw new SpiralError('corrupt_log', `${bytes.byteLength} bytes of something else`);
  }
  const body = bytes.subarray(headerBytes);
  const [stored, found] = [view.getUint32(8, true), checksum(body, checksum(bytes.subarray(0, 8)))];
  if (stored !== found) throw new SpiralError('corrupt_log', `checksum ${found} where it names ${stored}`);
  const layout = view.getUint32(4, true);
  if (layout !== kind.layout) {
    throw new SpiralError('unsupported', `layout ${layout} where this release knows ${kind.layout}`);
  }
  try {
    return packr.unpack(body);
  } catch (cause) {
    throw new SpiralError('corrupt_log', 'something that cannot be decoded', { cause });
  }
}
