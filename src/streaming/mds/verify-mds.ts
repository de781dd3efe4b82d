import { checkSignal } from '../../core/abort.js';
import { knownOptions } from '../../core/check.js';
import { isSpiralError, type SpiralError } from '../../core/errors.js';
import { mdsProblemsPerShardMax, readBytesMax } from '../../core/limits.js';
import { corrupt } from '../../format/corrupt.js';
import { decompressShard } from '../../format/mds-compression.js';
import { mdsFormat } from '../../format/mds-file.js';
import { createHasher, type MdsHasher, mdsHashNames } from '../../format/mds-hash.js';
import type { MdsFileInfo, MdsShard } from '../../format/mds-index.js';
import type { RowFile } from '../../format/row-file.js';
import type { ObjectStore } from '../../storage/store.js';
import { openMdsFolder, shardFiles } from './mds-folder.js';

/** Something that is wrong with a data set. */
export interface MdsProblem {
  /** The number of the shard; null where it is the index as a whole. */
  readonly shard: number | null;
  /** Below the folder of the index. */
  readonly file: string | null;
  /** Of the data set, from 0; the first and the last that this speaks of. */
  readonly samples: readonly [first: number, last: number] | null;
  readonly code: SpiralError['code'];
  readonly message: string;
}

/** What was looked at. */
export interface MdsVerification {
  readonly uri: string;
  readonly shards: number;
  readonly files: number;
  readonly bytes: number;
  /** Hashes that were computed and compared. */
  readonly hashes: number;
  /** Names of hashes in the index that this release does not know, so that they were not compared. */
  readonly hashesUnknown: readonly string[];
  /** Samples of which every column was decoded. */
  readonly samplesDecoded: number;
  readonly problems: number;
}

export interface VerifyMdsOptions {
  /** Is told of each problem as it is found; of one shard 100 at most, and how many more there are. */
  readonly onProblem?: (problem: MdsProblem) => void;
  /** Is told, behind each shard, how many are done. */
  readonly onShard?: (done: number, shards: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks a data set of MosaicML Streaming: of every file its size and all hashes that the index has, compressed and unpacked,
 * and that each value of each sample can be decoded. One shard is looked at after the other, in the memory of the largest
 * compressed one, or 256 MiB of these; plain ones are read in pieces of megabytes.
 *
 * @throws SpiralError `not_found`, `corrupt_file`, `unsupported`, `path_outside_root` for the index; `cancelled`;
 * `unavailable`. What is wrong with shards is no error but a problem.
 */
export async function verifyMds(uri: string, options: VerifyMdsOptions = {}): Promise<MdsVerification> {
  knownOptions('verifyMds', options, ['onProblem', 'onShard', 'signal']);
  const { store, index, indexBytes, shards } = await openMdsFolder(uri, options.signal);
  try {
    return await new Verifier(store, shards, options).run(index, indexBytes);
  } finally {
    await store.close();
  }
}

/** Errors of what is stored, not of reading it. */
const problemCodes: readonly SpiralError['code'][] = [
  'corrupt_file',
  'limit_exceeded',
  'not_found',
  'path_outside_root',
  'type_mismatch',
  'unsupported',
  'unsupported_type',
  'value_out_of_range',
];

interface NamedHasher {
  readonly name: string;
  readonly hasher: MdsHasher;
}

/** A shard, and a sample of it. */
interface Place {
  readonly shard: number;
  readonly firstSample: number;
}

class Verifier {
  readonly #store: ObjectStore;
  readonly #shards: readonly MdsShard[];
  readonly #options: VerifyMdsOptions;
  readonly #unknown = new Set<string>();
  readonly #counts = { files: 0, bytes: 0, hashes: 0, samplesDecoded: 0, problems: 0 };
  #ofShard = 0;

  constructor(store: ObjectStore, shards: readonly MdsShard[], options: VerifyMdsOptions) {
    this.#store = store;
    this.#shards = shards;
    this.#options = options;
  }

  async run(index: string, indexBytes: number): Promise<MdsVerification> {
    const { signal, onShard } = this.#options;
    // Whole numbers of shards of text have any number of digits.
    const format = mdsFormat({ intsAsText: true });
    const open = (): Promise<RowFile> => format.open(this.#store, index, indexBytes, { modifiedMs: 0, signal });
    let file: RowFile | undefined;
    await this.#attempt({ shard: null, file: index, samples: null }, async () => {
      file = await open();
    });
    let [firstSample, group] = [0, 0];
    for (const [at, shard] of this.#shards.entries()) {
      checkSignal(signal, 'The check of a data set');
      this.#ofShard = 0;
      const place = { shard: at, firstSample };
      const isWhole = await this.#checkFiles(place, shard);
      for (let from = 0; file !== undefined && from < shard.samples; group++) {
        const { rows } = file.groups[group]!;
        if (isWhole) await this.#decode(file, group, { ...place, firstSample: firstSample + from });
        from += rows;
      }
      firstSample += shard.samples;
      this.#flushShard(at);
      onShard?.(at + 1, this.#shards.length);
    }
    const { uri } = this.#store;
    return { uri, shards: this.#shards.length, ...this.#counts, hashesUnknown: [...this.#unknown].sort() };
  }

  /** Whether decoding can tell more: the files are there, and of their sizes. */
  async #checkFiles({ shard, firstSample }: Place, info: MdsShard): Promise<boolean> {
    const samples = info.samples === 0 ? null : ([firstSample, firstSample + info.samples - 1] as const);
    let isWhole = true;
    for (const { raw, zip } of shardFiles(info)) {
      const { compression } = info;
      if (zip === undefined || compression === undefined) {
        const isThere = await this.#attempt({ shard, file: raw.basename, samples }, () => this.#checkSize(raw));
        isWhole &&= isThere;
        if (isThere) await this.#attempt({ shard, file: raw.basename, samples }, () => this.#hashStored(raw));
        continue;
      }
      const unpacked = await this.#attempt({ shard, file: zip.basename, samples }, async () => {
        await this.#checkSize(zip);
        const stored = await this.#store.get(zip.basename, { signal: this.#options.signal });
        await this.#hashBytes(zip, stored);
        await this.#hashBytes(raw, await decompressShard(compression, stored, raw.bytes, this.#where(zip)));
      });
      isWhole &&= unpacked;
      // Of a data set whose shards were unpacked in place, what lies beside is read by others.
      if ((await this.#store.head(raw.basename)) === undefined) continue;
      await this.#attempt({ shard, file: raw.basename, samples }, async () => {
        await this.#checkSize(raw);
        await this.#hashStored(raw);
      });
    }
    return isWhole;
  }

  async #checkSize(info: MdsFileInfo): Promise<void> {
    this.#counts.files++;
    // A tail is asked for, as some stores tell no size of what is not read.
    const { size } = await this.#store.getTail(info.basename, 1, { signal: this.#options.signal });
    this.#counts.bytes += size;
    if (size !== info.bytes) throw corrupt(this.#where(info), `${info.bytes} bytes`, `${size}`);
  }

  async #hashStored(info: MdsFileInfo): Promise<void> {
    const { signal } = this.#options;
    const hashers = await this.#hashers(info);
    for (let at = 0; hashers.length > 0 && at < info.bytes; at += readBytesMax) {
      const bytes = await this.#store.getRange(info.basename, at, Math.min(readBytesMax, info.bytes - at), { signal });
      for (const { hasher } of hashers) hasher.update(bytes);
    }
    this.#compare(info, hashers);
  }

  async #hashBytes(info: MdsFileInfo, bytes: Uint8Array): Promise<void> {
    const hashers = await this.#hashers(info);
    for (const { hasher } of hashers) hasher.update(bytes);
    this.#compare(info, hashers);
  }

  async #hashers({ hashes }: MdsFileInfo): Promise<NamedHasher[]> {
    const found: NamedHasher[] = [];
    for (const name of Object.keys(hashes)) {
      if (mdsHashNames.includes(name)) found.push({ name, hasher: await createHasher(name) });
      else this.#unknown.add(name);
    }
    return found;
  }

  #compare(info: MdsFileInfo, hashers: readonly NamedHasher[]): void {
    const wrong = hashers
      .map(({ name, hasher }) => ({ name, found: hasher.digest() }))
      .filter(({ name, found }) => found !== info.hashes[name]);
    this.#counts.hashes += hashers.length;
    const [first] = wrong;
    if (first === undefined) return;
    const names = wrong.map(({ name }) => name).join(', ');
    throw corrupt(this.#where(info), `the ${names} hash ${info.hashes[first.name]}`, first.found);
  }

  /** Decodes the samples of a group, and goes on behind one that cannot be. */
  async #decode(file: RowFile, group: number, { shard, firstSample }: Place): Promise<void> {
    const { rows } = file.groups[group]!;
    const columns = file.schema.fields.map((_, column) => column);
    for (let from = 0; from < rows; ) {
      checkSignal(this.#options.signal, 'The check of a data set');
      const [first, last] = [firstSample + from, firstSample + rows - 1];
      let [decoded, next] = [0, rows];
      const read = async (): Promise<void> => {
        await file.readRows!(group, from, rows, columns, { signal: this.#options.signal });
        decoded = rows - from;
      };
      await this.#attempt({ shard, file: null, samples: [first, last] }, read, ({ row }) => {
        if (typeof row !== 'number' || row < first || row > last) return [first, last];
        [decoded, next] = [row - first, row - firstSample + 1];
        return [row, row];
      });
      this.#counts.samplesDecoded += decoded;
      from = next;
      if (this.#ofShard > mdsProblemsPerShardMax) return;
    }
  }

  /** Whether `work` ended well; what it throws for bad data is a problem. */
  async #attempt(
    place: Pick<MdsProblem, 'shard' | 'file' | 'samples'>,
    work: () => Promise<void>,
    samplesOf: (details: SpiralError['details']) => MdsProblem['samples'] = () => place.samples,
  ): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!isSpiralError(error, ...problemCodes)) throw error;
      const { code, message, details } = error;
      this.#report({ ...place, samples: samplesOf(details), code, message });
      return false;
    }
  }

  #report(problem: MdsProblem): void {
    this.#counts.problems++;
    if (++this.#ofShard <= mdsProblemsPerShardMax) this.#options.onProblem?.(problem);
  }

  #flushShard(shard: number): void {
    if (this.#ofShard <= mdsProblemsPerShardMax) return;
    const message = `Shard ${shard} has more problems than ${mdsProblemsPerShardMax}; what follows in it was not decoded.`;
    this.#options.onProblem?.({ shard, file: null, samples: null, code: 'corrupt_file', message });
  }

  #where({ basename }: MdsFileInfo): string {
    return `${this.#store.uri}/${basename}`;
  }
}
