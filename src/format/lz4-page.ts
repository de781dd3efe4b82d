import type { Lz4Block } from './lz4-frame.js';
import { checkUnpackedSize } from './unpacked-size.js';

/** The at most `size` bytes of one block of LZ4. @throws Error for damaged bytes, and for more. */
export function lz4Block(bytes: Uint8Array, size: number, decompressBlock: Lz4Block): Uint8Array {
  checkUnpackedSize('lz4', bytes, size);
  const prefixed = Buffer.allocUnsafe(4 + bytes.length);
  prefixed.writeUInt32LE(size, 0);
  prefixed.set(bytes, 4);
  return decompressBlock(prefixed);
}

/**
 * The `size` bytes of a page in the older of Parquet's two LZ4 codecs: blocks with their sizes before them, both numbers
 * big-endian, as Hadoop writes them; or, of other writers, one block without.
 *
 * @throws Error for anything else.
 */
export function lz4Page(bytes: Uint8Array, size: number, decompressBlock: Lz4Block): Uint8Array {
  return hadoopBlocks(bytes, size, decompressBlock) ?? lz4Block(bytes, size, decompressBlock);
}

/** Undefined where the bytes are no such blocks. */
function hadoopBlocks(bytes: Uint8Array, size: number, decompressBlock: Lz4Block): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Uint8Array[] = [];
  let [at, done] = [0, 0];
  while (at < bytes.length) {
    if (at + 8 > bytes.length) return undefined;
    const [expected, length] = [view.getUint32(at), view.getUint32(at + 4)];
    at += 8;
    if (done + expected > size || at + length > bytes.length) return undefined;
    try {
      blocks.push(lz4Block(bytes.subarray(at, at + length), expected, decompressBlock));
    } catch {
      return undefined;
    }
    if (blocks.at(-1)!.length !== expected) return undefined;
    done += expected;
    at += length;
  }
  return done === size ? Buffer.concat(blocks, size) : undefined;
}
