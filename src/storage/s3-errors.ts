import type { ErrorCode } from '../core/codes.js';
import { SpiralError, shown } from '../core/errors.js';
import { bareError } from './bare-error.js';
import { isUntrusted } from './http-errors.js';
import { notFound } from './store-errors.js';

/** What was being done to which object when a request failed. */
export interface S3Work {
  readonly uri: string;
  readonly path: string;
  readonly doing: 'read' | 'write' | 'list' | 'delete';
}

/** What the SDK tells of a failure. */
interface SdkError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** The status of HTTP that `error` came with, if it came from the server. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as SdkError).$metadata?.httpStatusCode : undefined;
}

/**
 * A failed request as a SpiralError that names the object and the remedy; an error that is of no request as it is, but for
 * what may be secret in it.
 */
export function s3Error(error: unknown, work: S3Work): unknown {
  if (error instanceof SpiralError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  const facts = nameFacts(error) ?? (status === undefined ? wireFacts(error) : statusFacts(status));
  const cause = bareError(error);
  if (facts === 'missing') return notFound(work.uri, work.path, cause);
  if (facts === undefined) return cause;
  const [code, why] = facts;
  const wait = Number((error as SdkError).$response?.headers?.['retry-after']);
  const details = { ...work, name: error.name, ...(status === undefined ? {} : { status }) };
  return new SpiralError(
    code,
    `Could not ${work.doing} ${shown(work.path)} in ${work.uri} (${[status, error.name].filter(Boolean).join(' ')}): ${why}.`,
    { details: wait > 0 ? { ...details, retryAfterMs: 1000 * wait } : details, cause },
  );
}

type Facts = readonly [ErrorCode, string] | 'missing' | undefined;

/** What the names of errors tell better than their statuses. */
function nameFacts({ name }: Error): Facts {
  switch (name) {
    case 'NoSuchBucket':
      return ['not_found', 'there is no such bucket. Make it, or mend the URI or AWS_ENDPOINT_URL'];
    case 'QuotaExceeded':
    case 'XMinioStorageFull':
    case 'InsufficientStorage':
      return ['storage_full', 'the storage or its quota is full. Free some space, then write again'];
    case 'RequestTimeout':
    case 'SlowDown':
    case 'ConditionalRequestConflict':
    case 'OperationAborted':
      return ['unavailable', 'it is busy. Try again'];
    case 'RequestTimeTooSkewed':
      return ['permission_denied', 'the clock of this machine is wrong, which makes signatures worthless. Set it'];
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'InvalidToken':
      return ['permission_denied', 'the credentials are wrong or have expired. Get new ones'];
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return ['invalid_argument', 'the bucket is in another region. Name that in AWS_REGION'];
    default:
      if (!/Credential|TokenProvider|SSO/.test(name)) return undefined;
      return [
        'permission_denied',
        'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role',
      ];
  }
}

function statusFacts(status: number): Facts {
  if (status === 404) return 'missing';
  if (status === 401 || status === 403) {
    return ['permission_denied', 'the store refuses. Check the credentials and the policy of the bucket'];
  }
  if (status === 501 || status === 405) return ['unsupported', 'the store does not do that. Use one that does'];
  if (status === 507) return ['storage_full', 'the storage is full. Free some space, then write again'];
  if (status === 408 || status === 409 || status === 429 || status >= 500) {
    return ['unavailable', 'the store cannot answer now. Try again'];
  }
  return ['invalid_argument', 'the store does not take such a request. Check the URI and the settings'];
}

/** Failures without an answer. */
function wireFacts(error: Error): Facts {
  const { code = '' } = error as SdkError;
  if (isUntrusted(code)) {
    return [
      'permission_denied',
      `the certificate of the server is not trusted (${code}). Name its authority in NODE_EXTRA_CA_CERTS`,
    ];
  }
  if (code === '' && error.name !== 'TimeoutError') return undefined;
  return [
    'unavailable',
    `the connection failed or broke off (${code || 'silence'}). Check the endpoint, then try again`,
  ];
}
