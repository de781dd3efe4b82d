import { SpiralError } from '../core/errors.js';
import type { CloudWork } from './cloud-client.js';
import { cloudError, type Failure, type FailureFacts, statusFacts, wireFacts } from './cloud-error.js';
import { NoAnswer } from './http-wire.js';

/** What the library tells of a failure. */
interface AzError extends Error {
  readonly code?: unknown;
  readonly statusCode?: number;
  readonly details?: { readonly errorCode?: unknown };
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Between the question for its size and that for its end an object was replaced by one of another size. */
export class Resized extends Error {}

/** What Azure calls the failure: `BlobNotFound` …; '' where it is of no request that was answered. */
export function azCode(error: unknown): string {
  const { code, statusCode, details } = error as AzError;
  if (typeof statusCode !== 'number') return '';
  for (const word of [details?.errorCode, code]) if (typeof word === 'string' && word !== '') return word;
  return '';
}

/** A failed request as a SpiralError; an error that is of no request as it is. */
export function azError(error: unknown, work: CloudWork): unknown {
  if (error instanceof SpiralError || !(error instanceof Error)) return error;
  const { statusCode: status, response } = error as AzError;
  const name = azCode(error);
  const failure: Failure = { name, status, retryAfterMs: retryAfter(response?.headers?.get('retry-after')) };
  if (status !== undefined)
    return cloudError(codeFacts(name) ?? statusFacts(status, 'container'), failure, work, error);
  if (error instanceof Resized) {
    const why = 'it is replaced again and again while it is read. Try again';
    return cloudError(['unavailable', why], { ...failure, name: 'replaced' }, work, error);
  }
  if (/Credential|Authentication/.test(error.name)) {
    const why =
      'no credentials were found. Set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, log in with `az login`, or give the machine an identity';
    return cloudError(['permission_denied', why], { ...failure, name: error.name }, work, error);
  }
  // What a body that breaks off ends with has no code of its own.
  const wire = wireFacts(error.name === 'RestError' ? new NoAnswer(error.message, { cause: error }) : error);
  return wire === undefined ? error : cloudError(wire.facts, { ...failure, name: wire.name }, work, error);
}

function retryAfter(seconds: string | undefined): number | undefined {
  return Number(seconds) > 0 ? 1000 * Number(seconds) : undefined;
}

/** What codes tell better than statuses. */
function codeFacts(code: string): FailureFacts | undefined {
  switch (code) {
    case 'ContainerNotFound':
      return ['not_found', 'there is no such container. Make it, or mend the URI or the account'];
    case 'AuthenticationFailed':
      return [
        'permission_denied',
        'the credentials are wrong or have expired, or the clock of this machine is. Get new ones, or set it',
      ];
    case 'LeaseIdMissing':
    case 'BlobImmutableDueToPolicy':
      return ['permission_denied', 'it is leased, or a policy keeps it as it is. End the lease or the policy'];
    case 'BlobArchived':
    case 'BlobBeingRehydrated':
      return ['unsupported', 'it is in the archive tier. Bring it back to an online tier first'];
    case 'ConditionHeadersNotSupported':
    case 'UnsupportedHeader':
      return ['unsupported', 'the store does not know conditions. Use one that does'];
    case 'InvalidBlockList':
      return ['unavailable', 'somebody else put it at the same time. Put it again'];
    default:
      return undefined;
  }
}
