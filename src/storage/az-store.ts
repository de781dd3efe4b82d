import { azClient } from './az-client.js';
import { bucketPlace } from './bucket-place.js';
import { CloudStore } from './cloud-store.js';
import { markReopenable } from './reopenable.js';
import { Retrier } from './retrier.js';
import type { ObjectStore } from './store.js';

/**
 * The blobs below `az://container/folder`, percent-encoded, of the account that the environment names, as Azure's own tools
 * have it: `AZURE_STORAGE_CONNECTION_STRING`, or `AZURE_STORAGE_ACCOUNT` with `AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN` or an
 * identity (`@azure/identity`). Touches nothing before its first use, which needs the package `@azure/storage-blob`.
 *
 * As `CloudStore`; `retrier` repeats the parts of uploads and the pages of lists.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI.
 */
export function azStore(uri: string, retrier: Retrier = new Retrier()): ObjectStore {
  const place = bucketPlace(uri, 'az');
  return markReopenable(new CloudStore(place, () => azClient(place.bucket), retrier));
}
