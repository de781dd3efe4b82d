import { crc32 } from 'node:zlib';
import type { PieceKey } from './piece-key.js';

/**
 * How a piece stands on disk, where several processes write and any may die: a header that names the piece, its bytes, and
 * at both ends the mark of the very write. What is not whole, of one write, and of this piece is nothing.
 *
 * | bytes | hold (little-endian) |
 * | --- | --- |
 * | 0–3 | `SPPC` |
 * | 4–7 | CRC-32 of all from 8 on but the second mark |
 * | 8–15 | a mark that no other write has |
 * | 16–19 | length of the piece |
 * | 20–23 | kind |
 * | 24–31 | number, float64 |
 * | 32–63 | the object's SHA-256 |
 * | 64– | the piece, then the mark again |
 */
const headerBytes = 64;
const markBytes = 8;
const magic = 0x43505053;

/** Bytes that a piece takes beside its own. */
export const frameBytes: number = headerBytes + markBytes;

/** `bytes` as they are to be written. */
export function framed(key: PieceKey, bytes: Uint8Array, mark: readonly [number, number]): Buffer {
  const frame = Buffer.allocUnsafeSlow(headerBytes + bytes.length + markBytes);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(mark[0], 8);
  frame.writeUInt32LE(mark[1], 12);
  frame.writeUInt32LE(bytes.length, 16);
  frame.writeUInt32LE(key.kindNumber, 20);
  frame.writeDoubleLE(key.number, 24);
  key.object.digest.copy(frame, 32);
  frame.set(bytes, headerBytes);
  frame.copy(frame, headerBytes + bytes.length, 8, 16);
  frame.writeUInt32LE(crc32(frame.subarray(8, headerBytes + bytes.length)), 4);
  return frame;
}

/** The piece of `key` in `frame`, which may hold more behind it; undefined where it is not there, whole. A view. */
export function unframed(key: PieceKey, frame: Buffer): Uint8Array | undefined {
  if (frame.length < frameBytes || frame.readUInt32LE(0) !== magic) return undefined;
  const length = frame.readUInt32LE(16);
  if (key.length !== undefined && key.length !== length) return undefined;
  const end = headerBytes + length;
  if (end + markBytes > frame.length) return undefined;
  if (frame.readUInt32LE(20) !== key.kindNumber || frame.readDoubleLE(24) !== key.number) return undefined;
  if (frame.compare(key.object.digest, 0, 32, 32, headerBytes) !== 0) return undefined;
  if (frame.compare(frame, 8, 16, end, end + markBytes) !== 0) return undefined;
  if (crc32(frame.subarray(8, end)) !== frame.readUInt32LE(4)) return undefined;
  // No Buffer: its `slice` would be a view.
  return new Uint8Array(frame.buffer, frame.byteOffset + headerBytes, length);
}
