import { bucketPlace } from './bucket-place.js';
import { CloudStore } from './cloud-store.js';
import { markReopenable } from './reopenable.js';
import { Retrier } from './retrier.js';
import { s3Client } from './s3-client.js';
import type { ObjectStore } from './store.js';

/**
 * The objects below `s3://bucket/folder`, percent-encoded, of AWS or whatever speaks S3: endpoint, region and credentials
 * come from where AWS's own tools have them (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_PROFILE`, roles …). Touches nothing
 * before its first use, which needs the package `@aws-sdk/client-s3`.
 *
 * As `CloudStore`; `retrier` repeats the parts of uploads and the pages of lists.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI.
 */
export function s3Store(uri: string, retrier: Retrier = new Retrier()): ObjectStore {
  const place = bucketPlace(uri, 's3');
  return markReopenable(new CloudStore(place, () => s3Client(place.bucket), retrier));
}
