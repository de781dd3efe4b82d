import { serveTasks } from '../../workers/serve-tasks.js';
import { type PackedFile, type PackSettings, packFile } from './pack-shard.js';
import type { ShardFile } from './shard-layout.js';

/** A file to pack, as it is sent to a thread; its buffers are handed over. */
export interface PackTask {
  readonly file: ShardFile;
  readonly settings: PackSettings;
}

/** Buffers up to this size may be Node's own, shared by many: these are copied. */
const poolBytes = 64 * 1024;

/** A thread that packs the files of shards for a writer. */
serveTasks<PackTask, PackedFile>(({ file, settings }) => [
  async () => {
    const packed = await packFile(file, settings);
    const pieces = packed.pieces.map((piece) => (piece.buffer.byteLength > poolBytes ? piece : new Uint8Array(piece)));
    const transfer = [...new Set(pieces.map(({ buffer }) => buffer as ArrayBuffer))];
    return { result: { ...packed, pieces }, transfer };
  },
]);
