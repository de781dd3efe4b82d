import { fromWire } from '../../core/error-wire.js';
import { SpiralError } from '../../core/errors.js';
import { Lane } from '../../workers/lane.js';
import { threadEntry } from '../../workers/thread-entry.js';
import { type PackedFile, type PackSettings, packFile } from './pack-shard.js';
import type { ShardFile } from './shard-layout.js';

/** Files below this are packed on this thread: that takes less than to hand them over, and holds nobody up. */
const threadBytesMin = 64 * 1024;
/** Milliseconds of one file: the largest, at the slowest level, take an hour. */
const packTimeoutMs = 12 * 3600 * 1000;

/** Compresses and hashes the files of shards, on threads of its own where there is much to do. */
export class ShardPacker {
  readonly #settings: PackSettings;
  readonly #threads: number;
  #lanes: readonly Lane<PackedFile>[] = [];

  /** Threads are started when they are needed. */
  constructor(settings: PackSettings, threads: number) {
    this.#settings = settings;
    this.#threads = threads;
  }

  /** `file` as it is stored. Its pieces may be gone afterwards. @throws SpiralError `worker_died`; what compressing throws. */
  async pack(file: ShardFile): Promise<PackedFile> {
    const bytes = file.pieces.reduce((sum, { length }) => sum + length, 0);
    if (isIdle(this.#settings) || bytes < threadBytesMin) {
      return packFile(file, this.#settings);
    }
    if (this.#lanes.length === 0) this.#lanes = lanesOf(this.#threads);
    const lane = this.#lanes.reduce((least, other) => (other.tasks < least.tasks ? other : least));
    const transfer = file.pieces.map(({ buffer }) => buffer as ArrayBuffer);
    const end = await lane.run({ file, settings: this.#settings }, transfer);
    if (end.kind !== 'answered') {
      throw new SpiralError(
        'worker_died',
        `The thread that compresses and hashes shards ended while it had ${bytes} bytes of ${file.ending}. Write smaller ` +
          'shards (`sizeLimit`) where memory is short.',
        { details: { bytes }, cause: end.kind === 'died' ? end.cause : undefined },
      );
    }
    if ('error' in end.reply) throw fromWire(end.reply.error);
    return end.reply.result;
  }

  /** Ends the threads; files under way reject. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }
}

function lanesOf(count: number): Lane<PackedFile>[] {
  const script = threadEntry('streaming/writing/pack-thread.js');
  return Array.from({ length: count }, (_, at) => {
    return new Lane(
      { script, workerData: undefined, name: `spiral-pack-${at}` },
      packTimeoutMs,
      Number.POSITIVE_INFINITY,
    );
  });
}

/** Whether files are stored as they are, and nothing is asked of them but their size. */
function isIdle({ compression, hashes }: PackSettings): boolean {
  return compression === undefined && hashes.length === 0;
}
