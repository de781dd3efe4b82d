import { isSpiralError, SpiralError, shown } from '../../core/errors.js';
import { type MdsFileInfo, type MdsShard, parseMdsIndex } from '../../format/mds-index.js';
import { openStore } from '../../storage/open-store.js';
import type { ObjectStore } from '../../storage/store.js';

const indexName = 'index.json';

/** A data set of MosaicML Streaming, as its index tells it. */
export interface MdsFolder {
  /** Of the folder that the index is in; to be closed by the caller. */
  readonly store: ObjectStore;
  /** The index, below the store. */
  readonly index: string;
  readonly indexBytes: number;
  readonly shards: readonly MdsShard[];
}

/**
 * Reads the index of the data set at `uri`: its folder, or `index.json` itself.
 *
 * @throws SpiralError `not_found` where no index is; `corrupt_file`, `unsupported`, `path_outside_root` for one that is not
 * read; as `openStore`.
 */
export async function openMdsFolder(uri: string, signal: AbortSignal | undefined): Promise<MdsFolder> {
  if (typeof uri !== 'string' || uri === '') {
    throw new SpiralError('invalid_argument', `Expected the folder of an MDS data set, got ${shown(uri)}.`);
  }
  const folder = uri === indexName ? '.' : uri.endsWith(`/${indexName}`) ? uri.slice(0, -indexName.length - 1) : uri;
  const store = openStore(folder === '' ? '/' : folder);
  try {
    const bytes = await store.get(indexName, { signal });
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    const shards = parseMdsIndex(text, `${store.uri}/${indexName}`);
    return { store, index: indexName, indexBytes: bytes.length, shards };
  } catch (error) {
    await store.close();
    if (!isSpiralError(error, 'not_found')) throw error;
    throw new SpiralError(
      'not_found',
      `Expected an MDS data set in ${store.uri}, found no ${indexName} there. Its writer makes it last; where parts were ` +
        'written apart, their indexes are merged.',
      { details: { uri: store.uri }, cause: error },
    );
  }
}

/** The files that may hold a shard: as it is stored, and unpacked beside that. */
export function shardFiles(
  shard: MdsShard,
): readonly { readonly raw: MdsFileInfo; readonly zip: MdsFileInfo | undefined }[] {
  const data = { raw: shard.rawData, zip: shard.zipData };
  return shard.rawMeta === undefined ? [data] : [data, { raw: shard.rawMeta, zip: shard.zipMeta }];
}
