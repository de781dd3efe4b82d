import { SpiralError } from '../core/errors.js';
import { bareError } from './bare-error.js';
import type { CloudWork } from './cloud-client.js';
import { cloudError, type FailureFacts, statusFacts, wireFacts } from './cloud-error.js';
import { Stalled } from './http-wire.js';

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

/** An answer that no server of S3 gives; the message says what is wrong with it. */
export class UnlikeS3 extends Error {}

/**
 * A failed request as a SpiralError that names the object and the remedy; an error that is of no request as it is, but for
 * what may be secret in it.
 */
export function s3Error(error: unknown, work: CloudWork): unknown {
  if (error instanceof SpiralError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  // What the SDK cannot read of an answer fails with the status of that.
  if (error instanceof UnlikeS3 || (status !== undefined && status < 300)) {
    const what = error instanceof UnlikeS3 ? error.message : 'the answer is none of S3';
    const why = `${what}. Try again; if it stays so, the server or a proxy before it is broken`;
    return cloudError(['unavailable', why], { name: 'answer', status, retryAfterMs: undefined }, work, error);
  }
  const seconds = Number((error as SdkError).$response?.headers?.['retry-after']);
  const failure = { name: error.name, status, retryAfterMs: seconds > 0 ? 1000 * seconds : undefined };
  const named = nameFacts(error);
  if (named !== undefined) return cloudError(named, failure, work, error);
  if (status !== undefined) return cloudError(statusFacts(status, 'bucket'), failure, work, error);
  const wire = wireFacts(isSilence(error) ? new Stalled(error.message) : error);
  return wire === undefined ? bareError(error) : cloudError(wire.facts, { ...failure, name: wire.name }, work, error);
}

/** The SDK calls so what took too long, and also some failures of the system. */
function isSilence(error: SdkError): boolean {
  return error.name === 'TimeoutError' && error.code === undefined;
}

/** What the names of errors tell better than their statuses. */
function nameFacts({ name, code }: SdkError): FailureFacts | undefined {
  switch (code === 'ERR_INVALID_URL' ? code : name) {
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
    case 'ERR_INVALID_URL':
      return ['invalid_argument', 'the endpoint is no URL. Mend AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL'];
    default:
      if (!/Credential|TokenProvider|SSO/.test(name)) return undefined;
      return [
        'permission_denied',
        'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role',
      ];
  }
}
