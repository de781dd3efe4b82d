import { uninitializedBytes } from '../storage/byte-buffer.js';

/** Decompresses one block that begins with its size as four bytes; `dictionary` is what stands before it. */
export type Lz4Block = (prefixed: Buffer, dictionary?: Buffer) => Uint8Array;

const magic = 0x184d2204;
/** How far back a block may point into those before it. */
const reachBytes = 64 * 1024;

/**
 * The `size` bytes that the LZ4 frame `bytes` holds (LZ4 Frame Format 1.6.1), block by block.
 *
 * Why not the library's own frame decoder: it grows its output for as long as the input tells it to, so a hostile file
 * fills the memory, and it is 2.8 times slower. The frame's own checksums are passed over, as stored buffers have one.
 *
 * @throws Error for anything but one whole frame of `size` bytes.
 */
export function decompressFrame(bytes: Uint8Array, size: number, decompressBlock: Lz4Block): Uint8Array {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(frame);
  const out = uninitializedBytes(size);
  let done = 0;
  let at = header.end;
  for (;;) {
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const length = word & 0x7fff_ffff;
    if (length > header.blockMax || at + length > frame.byteLength) throw new Error('an LZ4 block leaves its frame');
    const stored = frame.subarray(at, at + length);
    const block = word >>> 31 === 1 ? stored : decompressed(stored, out, done, header, decompressBlock);
    if (done + block.byteLength > size) throw new Error('the LZ4 frame holds more bytes than expected');
    out.set(block, done);
    done += block.byteLength;
    at += length + header.blockTail;
  }
  if (done !== size) throw new Error(`the LZ4 frame holds ${done} bytes`);
  if (at + header.frameTail !== frame.byteLength) throw new Error('bytes follow the LZ4 frame');
  return out;
}

interface Header {
  readonly end: number;
  readonly linked: boolean;
  readonly blockMax: number;
  /** Bytes of the checksum behind each block, and behind the last. */
  readonly blockTail: number;
  readonly frameTail: number;
}

function readHeader(frame: Buffer): Header {
  if (frame.byteLength < 11 || frame.readUInt32LE(0) !== magic) throw new Error('no LZ4 frame');
  const flags = frame[4]!;
  const sizeCode = (frame[5]! >> 4) & 7;
  if (flags >> 6 !== 1 || sizeCode < 4) throw new Error('an LZ4 frame of an unknown version');
  if ((flags & 1) !== 0) throw new Error('an LZ4 frame with a dictionary');
  return {
    end: 7 + ((flags & 8) === 0 ? 0 : 8),
    linked: (flags & 32) === 0,
    blockMax: 2 ** (8 + 2 * sizeCode),
    blockTail: (flags & 16) === 0 ? 0 : 4,
    frameTail: (flags & 4) === 0 ? 0 : 4,
  };
}

function decompressed(
  stored: Buffer,
  out: Uint8Array<ArrayBuffer>,
  done: number,
  { linked, blockMax }: Header,
  decompressBlock: Lz4Block,
): Uint8Array {
  const prefixed = Buffer.allocUnsafe(4 + stored.byteLength);
  // The most that the block may become: the decoder refuses to write more.
  prefixed.writeUInt32LE(Math.min(blockMax, out.byteLength - done), 0);
  stored.copy(prefixed, 4);
  if (!linked || done === 0) return decompressBlock(prefixed);
  const from = Math.max(0, done - reachBytes);
  return decompressBlock(prefixed, Buffer.from(out.buffer, from, done - from));
}
