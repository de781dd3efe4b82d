import { SpiralError } from '../core/errors.js';
import { checkPath } from './object-path.js';
import { shownUri, withoutSecrets } from './shown-uri.js';

/** A bucket of an object store, or a folder of one. */
export interface BucketPlace {
  /** Percent-encoded, without a '/' at its end. */
  readonly uri: string;
  readonly bucket: string;
  /** What all keys begin with: '' or a folder with its '/'. */
  readonly prefix: string;
}

/** The schemes of object stores. */
export type BucketScheme = 's3' | 'gs' | 'az';

/**
 * The place that `scheme://bucket/folder` names, percent-encoded.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI, `path_outside_root` for a folder with '..'.
 */
export function bucketPlace(uri: string, scheme: BucketScheme): BucketPlace {
  const expected = `${scheme}://bucket/folder`;
  const [bucket = '', ...rest] = uri.slice(`${scheme}://`.length).split('/');
  // A query may be a signature, as of Azure; a '?' alone is one of a name or a pattern.
  const hasQuery = scheme !== 's3' && /\?[\w-]+=/.test(uri);
  if (hasQuery || !/^[a-z0-9$][a-z0-9._-]{1,254}$/i.test(bucket)) {
    // It is not shown: somebody may have put a secret there.
    throw new SpiralError(
      'invalid_argument',
      `Expected ${scheme}://bucket or ${expected}, got a URI ${hasQuery ? 'with a query' : 'whose bucket is no name'}. ` +
        'Credentials come from the environment or a profile, never from the URI.',
      { details: { expected } },
    );
  }
  const folder = rest
    .map((segment) => decoded(segment, uri))
    .join('/')
    .replace(/\/+$/, '');
  if (folder !== '') checkPath(folder);
  const encoded = folder.split('/').map(encodeURIComponent).join('/');
  return {
    uri: `${scheme}://${bucket}${folder === '' ? '' : `/${encoded}`}`,
    bucket,
    prefix: folder === '' ? '' : `${folder}/`,
  };
}

function decoded(segment: string, uri: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new SpiralError('invalid_argument', `Expected a percent-encoded URI, got ${shownUri(uri)}.`, {
      details: { uri: withoutSecrets(uri) },
      cause,
    });
  }
}
