import type { ObjectStore } from './store.js';

/** What a URI of S3 leaves open: two servers may have buckets of one name. */
const variables = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_PROFILE'];

/** Names the place that `store` is at among all that this machine reaches. */
export function storePlace({ uri }: ObjectStore): string {
  if (!uri.startsWith('s3://')) return uri;
  return JSON.stringify([uri, ...variables.map((name) => process.env[name] ?? '')]);
}
