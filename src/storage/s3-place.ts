import { SpiralError, shown } from '../core/errors.js';
import { checkPath } from './object-path.js';

/** A bucket, or a folder of one. */
export interface S3Place {
  /** Percent-encoded, without a '/' at its end. */
  readonly uri: string;
  readonly bucket: string;
  /** What all keys begin with: '' or a folder with its '/'. */
  readonly prefix: string;
}

/**
 * The place that `s3://bucket/folder` names.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI, `path_outside_root` for a folder with '..'.
 */
export function s3Place(uri: string): S3Place {
  const [bucket = '', ...rest] = uri.slice('s3://'.length).split('/');
  if (!/^[a-z0-9][a-z0-9._-]{1,254}$/i.test(bucket)) {
    // It is not shown: somebody may have put a secret there.
    throw new SpiralError(
      'invalid_argument',
      'Expected s3://bucket or s3://bucket/folder, got a URI whose bucket is no name. Credentials come from the environment or a profile, never from the URI.',
      { details: { expected: 's3://bucket/folder' } },
    );
  }
  const folder = rest
    .map((segment) => decoded(segment, uri))
    .join('/')
    .replace(/\/+$/, '');
  if (folder !== '') checkPath(folder);
  const encoded = folder.split('/').map(encodeURIComponent).join('/');
  return {
    uri: folder === '' ? `s3://${bucket}` : `s3://${bucket}/${encoded}`,
    bucket,
    prefix: folder === '' ? '' : `${folder}/`,
  };
}

function decoded(segment: string, uri: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new SpiralError('invalid_argument', `Expected a percent-encoded URI, got ${shown(uri)}.`, {
      details: { uri },
      cause,
    });
  }
}
