import { typeWords } from '../../arrow/words.js';
import { knownOptions } from '../../core/check.js';
import { mdsFormat } from '../../format/mds-file.js';
import { openMdsFolder, shardFiles } from './mds-folder.js';

/** A shard of a data set. */
export interface MdsShardFacts {
  readonly number: number;
  readonly format: string;
  readonly compression: string | null;
  readonly samples: number;
  /** Bytes of its files, as they are stored and unpacked. */
  readonly storedBytes: number;
  readonly rawBytes: number;
  /** Below the folder of the index, as they are stored. */
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly hashes: Readonly<Record<string, string>>;
  }[];
}

/** What the index of a data set tells: plain data, for printing. */
export interface MdsFacts {
  readonly uri: string;
  readonly samples: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly formats: readonly string[];
  readonly compressions: readonly string[];
  /** Hashes that every file has. */
  readonly hashes: readonly string[];
  /** Those of the first shard. `type` is the Arrow type in words; null for an encoding that is not read. */
  readonly columns: readonly { readonly name: string; readonly encoding: string; readonly type: string | null }[];
  readonly shards: readonly MdsShardFacts[];
}

/**
 * What the data set of MosaicML Streaming at `uri` is made of, by its index alone: a path, `file://`, or any URI of a store.
 *
 * @throws SpiralError `not_found`, `corrupt_file`, `unsupported`, `path_outside_root`.
 */
export async function inspectMds(uri: string, options: { readonly signal?: AbortSignal } = {}): Promise<MdsFacts> {
  knownOptions('inspectMds', options, ['signal']);
  const { store, index, indexBytes, shards } = await openMdsFolder(uri, options.signal);
  try {
    const file = await mdsFormat()
      .open(store, index, indexBytes, { modifiedMs: 0, signal: options.signal })
      .catch(() => undefined);
    const types = new Map(file?.schema.fields.map(({ name, type }) => [name, typeWords(type)]));
    const facts = shards.map((shard, number): MdsShardFacts => {
      const files = shardFiles(shard).map(({ raw, zip }) => ({ raw, stored: zip ?? raw }));
      return {
        number,
        format: shard.format,
        compression: shard.compression ?? null,
        samples: shard.samples,
        storedBytes: files.reduce((sum, { stored }) => sum + stored.bytes, 0),
        rawBytes: files.reduce((sum, { raw }) => sum + raw.bytes, 0),
        files: files.map(({ stored }) => ({ path: stored.basename, bytes: stored.bytes, hashes: stored.hashes })),
      };
    });
    const all = facts.flatMap(({ files }) => files.map(({ hashes }) => Object.keys(hashes)));
    return {
      uri: store.uri,
      samples: facts.reduce((sum, { samples }) => sum + samples, 0),
      storedBytes: facts.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      rawBytes: facts.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
      formats: [...new Set(facts.map(({ format }) => format))],
      compressions: [...new Set(facts.flatMap(({ compression }) => compression ?? []))],
      hashes: (all[0] ?? []).filter((name) => all.every((names) => names.includes(name))),
      columns: (shards[0]?.columns ?? []).map(({ name, encoding }) => ({
        name,
        encoding,
        type: types.get(name) ?? null,
      })),
      shards: facts,
    };
  } finally {
    await store.close();
  }
}
