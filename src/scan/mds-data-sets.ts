import { knownOptions, oneOf } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import type { MdsSettings } from '../format/mds-file.js';
import { mdsHashNames } from '../format/mds-hash.js';
import type { ObjectInfo } from '../storage/store.js';
import type { FileFormat } from './file-format.js';

/** The name of the file that names the shards of an MDS data set. */
export const mdsIndexName = 'index.json';

/** Whether `path` is the index of an MDS data set, by its name. */
export function isMdsIndex(path: string): boolean {
  return path === mdsIndexName || path.endsWith(`/${mdsIndexName}`);
}

/**
 * The indexes among `infos` that are not below the folder of another one: an index in a higher folder is one of merged data
 * sets, and names their shards too.
 *
 * @throws SpiralError `invalid_argument` where something else was named.
 */
export function mdsIndexes(infos: readonly ObjectInfo[], uri: string): ObjectInfo[] {
  const indexes = infos.filter(({ path }) => isMdsIndex(path));
  if (indexes.length === 0) {
    throw new SpiralError(
      'invalid_argument',
      `Expected the folder of an MDS data set, or its ${mdsIndexName}, got ${shown(uri)}. Shards are read by way of their index.`,
      { details: { uri } },
    );
  }
  const folders = new Set(indexes.map(({ path }) => path.slice(0, -mdsIndexName.length)));
  return indexes.filter(({ path }) => {
    const folder = path.slice(0, -mdsIndexName.length);
    for (let at = folder.lastIndexOf('/', folder.length - 2); folder !== ''; at = folder.lastIndexOf('/', at - 1)) {
      if (folders.has(folder.slice(0, at + 1))) return false;
      if (at <= 0) break;
    }
    return true;
  });
}

/** The settings of MDS data sets that `mds` has. @throws SpiralError `invalid_argument`. */
export function wantedMds(mds: MdsSettings | undefined, format: FileFormat): MdsSettings {
  if (mds === undefined) return {};
  if (format !== 'mds' || typeof mds !== 'object' || mds === null) {
    const found = format === 'mds' ? shown(mds) : `files of the format '${format}'`;
    throw new SpiralError(
      'invalid_argument',
      `Expected \`mds\` to be { validateHash, intsAsText } for MDS data sets, got ${found}.`,
      {
        details: { format },
      },
    );
  }
  knownOptions('mds', mds, ['validateHash', 'intsAsText']);
  const { validateHash, intsAsText } = mds;
  if (intsAsText !== undefined && typeof intsAsText !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`intsAsText\` to be true or false, got ${shown(intsAsText)}.`,
      {
        details: { found: shown(intsAsText) },
      },
    );
  }
  return {
    ...(validateHash === undefined ? {} : { validateHash: oneOf('validateHash', validateHash, mdsHashNames) }),
    ...(intsAsText === true ? { intsAsText } : {}),
  };
}
