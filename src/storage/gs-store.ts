import { bucketPlace } from './bucket-place.js';
import { CloudStore } from './cloud-store.js';
import { gsClient } from './gs-client.js';
import { markReopenable } from './reopenable.js';
import { Retrier } from './retrier.js';
import type { ObjectStore } from './store.js';

/**
 * The objects below `gs://bucket/folder` of Google Cloud Storage, percent-encoded. Credentials are Google's application
 * default ones: `GOOGLE_APPLICATION_CREDENTIALS`, those of `gcloud`, the service account of the machine;
 * `STORAGE_EMULATOR_HOST` names an emulator. Touches nothing before its first use, which needs the package
 * `@google-cloud/storage`.
 *
 * As `CloudStore`; `retrier` repeats the parts of uploads and the pages of lists.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI.
 */
export function gsStore(uri: string, retrier: Retrier = new Retrier()): ObjectStore {
  const place = bucketPlace(uri, 'gs');
  return markReopenable(new CloudStore(place, () => gsClient(place.bucket), retrier));
}
