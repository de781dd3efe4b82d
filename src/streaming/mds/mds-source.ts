import { isSpiralError, SpiralError } from '../../core/errors.js';
import { downloadMemoryBytes, mdsUnpackingMax } from '../../core/limits.js';
import { MemoryPool } from '../../core/memory-pool.js';
import { Semaphore } from '../../core/semaphore.js';
import { corrupt } from '../../format/corrupt.js';
import { decompressShard } from '../../format/mds-compression.js';
import { checkedPieces, checkStoredFile, checkWholeFile, hashFor } from '../../format/mds-file-check.js';
import type { MdsFileInfo, MdsShard } from '../../format/mds-index.js';
import type { ObjectStore } from '../../storage/store.js';
import type { Fetching, ShardSource } from '../cache/shard-source.js';
import { Download, type DownloadCounts, type DownloadSettings } from './download.js';

/** How the shards of an MDS data set are had. */
export interface MdsSourceSettings extends DownloadSettings {
  /** Whether compressed files are kept beside the unpacked ones. */
  readonly keepZip: boolean;
  /** The hash to check by; undefined: the cheapest that the index has. */
  readonly validateHash: string | undefined;
  /** Told after a download that failed for good, whether the index has changed since. */
  readonly isIndexChanged: (signal: AbortSignal) => Promise<boolean>;
}

/** A file of a shard, and what it is compressed as. */
interface ShardFile {
  readonly raw: MdsFileInfo;
  readonly zip: MdsFileInfo | undefined;
}

/**
 * The shards of an MDS data set on a remote store. Plain files are passed on piece by piece; compressed ones are unpacked in
 * memory, to at most the bytes that the index has for them. Sizes are checked of every file, and hashes as far as the index
 * has any: of what is downloaded, and again of what it is unpacked to.
 */
export class MdsSource implements ShardSource {
  readonly identity: string;
  readonly count: number;
  readonly counts: DownloadCounts = { bytes: 0, requests: 0, retries: 0 };
  readonly #remote: ObjectStore;
  readonly #shards: readonly MdsShard[];
  readonly #settings: MdsSourceSettings;
  readonly #download: Download;
  readonly #unpacking = new Semaphore(mdsUnpackingMax);

  /**
   * @param identity names the index.
   * @throws SpiralError `corrupt_file` for an index that names a file twice.
   */
  constructor(remote: ObjectStore, shards: readonly MdsShard[], identity: string, settings: MdsSourceSettings) {
    this.#remote = remote;
    this.#shards = shards;
    this.#settings = settings;
    this.#download = new Download(remote, settings, this.counts, new MemoryPool(undefined, downloadMemoryBytes));
    this.identity = settings.keepZip ? `${identity} with compressed files` : identity;
    this.count = shards.length;
    const known = new Set(['index.json']);
    for (const shard of shards) {
      for (const { basename } of keptFiles(shard, true)) {
        if (!known.has(basename) && !basename.startsWith('.')) known.add(basename);
        else throw corrupt(`${remote.uri}/index.json`, 'each file once, and none of a reserved name', `'${basename}'`);
      }
    }
  }

  bytesOf(shard: number): number {
    return keptFiles(this.#shards[shard]!, this.#settings.keepZip).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  names(shard: number): string[] {
    return keptFiles(this.#shards[shard]!, this.#settings.keepZip).map(({ basename }) => basename);
  }

  async fetch(shard: number, into: ObjectStore, fetching: Fetching): Promise<void> {
    const { signal } = fetching;
    const files = filesOf(this.#shards[shard]!);
    const all = async (): Promise<void> => {
      for (const file of files) await this.#fetchFile(this.#shards[shard]!, file, into, fetching);
    };
    try {
      await (files.some(({ zip }) => zip !== undefined) ? this.#unpacking.run(all) : all());
    } catch (error) {
      if (!isSpiralError(error, 'corrupt_file', 'not_found') || !(await this.#settings.isIndexChanged(signal)))
        throw error;
      throw new SpiralError(
        'file_changed',
        `Expected the data set at ${this.#remote.uri} to stay as it is, but it was written again while it was read. Open it ` +
          'anew; states of the old one do not fit it.',
        { details: { uri: this.#remote.uri, shard }, cause: error },
      );
    }
  }

  async check(shard: number, files: ObjectStore, signal: AbortSignal): Promise<void> {
    for (const info of keptFiles(this.#shards[shard]!, this.#settings.keepZip)) {
      const name = hashFor(info, this.#settings.validateHash, `${files.uri}/${info.basename}`);
      await checkStoredFile(files, info.basename, info, name, { signal });
    }
  }

  async #fetchFile(
    shard: MdsShard,
    { raw, zip }: ShardFile,
    into: ObjectStore,
    { signal, isWanted }: Fetching,
  ): Promise<void> {
    const stored = zip ?? raw;
    const where = `${this.#remote.uri}/${stored.basename}`;
    const hash = hashFor(stored, this.#settings.validateHash, where);
    const tries = this.#download.tries(signal);
    const turn = this.#download.turn(isWanted);
    for (;;) {
      const pieces = checkedPieces(
        this.#download.pieces(stored.basename, stored.bytes, tries, turn, signal),
        stored,
        hash,
        where,
      );
      try {
        if (zip === undefined) return await into.put(raw.basename, pieces, { signal });
        const packed = Buffer.allocUnsafeSlow(zip.bytes);
        let at = 0;
        for await (const piece of pieces) {
          packed.set(piece, at);
          at += piece.length;
        }
        const whole = await decompressShard(shard.compression!, packed, raw.bytes, where);
        await checkWholeFile(whole, raw, hashFor(raw, this.#settings.validateHash, where), where);
        await into.put(raw.basename, whole, { signal });
        if (this.#settings.keepZip) await into.put(zip.basename, packed, { signal });
        return;
      } catch (error) {
        // What the network failed with was tried again piece by piece; what came wrong is had anew from its beginning.
        if (!isSpiralError(error, 'corrupt_file')) throw error;
        await tries.again(error);
      }
    }
  }
}

function filesOf({ rawData, zipData, rawMeta, zipMeta }: MdsShard): ShardFile[] {
  const data = { raw: rawData, zip: zipData };
  return rawMeta === undefined ? [data] : [data, { raw: rawMeta, zip: zipMeta }];
}

function keptFiles(shard: MdsShard, keepZip: boolean): MdsFileInfo[] {
  return filesOf(shard).flatMap(({ raw, zip }) => (keepZip && zip !== undefined ? [raw, zip] : [raw]));
}
