import type { ErrorCode } from '../core/codes.js';
import { SpiralError, shown } from '../core/errors.js';
import { bareError } from './bare-error.js';
import type { CloudWork } from './cloud-client.js';
import { isUntrusted } from './http-errors.js';
import { BadRedirect, NoAnswer, Stalled } from './http-wire.js';
import { notFound } from './store-errors.js';

/** What a failure means: the code and the remedy, or that there is no such object. */
export type FailureFacts = readonly [code: ErrorCode, why: string] | 'missing';

/** What a server, or its library, tells of a failed request. */
export interface Failure {
  /** What it is called: a code of the store, or of the system. */
  readonly name: string;
  /** Of HTTP, where there was an answer. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** The SpiralError that a failed request about an object is. Its cause is `error` without what may be secret. */
export function cloudError(facts: FailureFacts, failure: Failure, work: CloudWork, error: Error): SpiralError {
  const cause = bareError(error);
  if (facts === 'missing') return notFound(work.uri, work.path, cause);
  const [code, why] = facts;
  const { name, status, retryAfterMs } = failure;
  const details = { ...work, name, ...(status === undefined ? {} : { status }) };
  const label = [status, name].filter(Boolean).join(' ');
  return new SpiralError(code, `Could not ${work.doing} ${shown(work.path)} in ${work.uri} (${label}): ${why}.`, {
    details: code === 'unavailable' && retryAfterMs !== undefined ? { ...details, retryAfterMs } : details,
    cause,
  });
}

/** What a status alone tells; `bucket` is what the store calls its buckets. */
export function statusFacts(status: number, bucket: string): FailureFacts {
  if (status === 404) return 'missing';
  if (status === 401 || status === 403) {
    return ['permission_denied', `the store refuses. Check the credentials, and their rights to the ${bucket}`];
  }
  if (status === 501 || status === 405) return ['unsupported', 'the store does not do that. Use one that does'];
  if (status === 507) return ['storage_full', 'the storage is full. Free some space, then write again'];
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) {
    return ['unavailable', 'the store cannot answer now. Try again'];
  }
  return ['invalid_argument', 'the store does not take such a request. Check the URI and the settings'];
}

/** What a failure without an answer is; undefined for an error that is of no connection. */
export function wireFacts(error: Error): { readonly facts: FailureFacts; readonly name: string } | undefined {
  if (error instanceof Stalled) {
    return { name: 'silence', facts: ['unavailable', 'the server is silent. Try again'] };
  }
  if (error instanceof BadRedirect) {
    return { name: 'redirect', facts: ['unsupported', `${error.message} is not followed. Check the endpoint`] };
  }
  const system = (error instanceof NoAnswer ? error.cause : error) as NodeJS.ErrnoException;
  const name = typeof system.code === 'string' ? system.code : '';
  if (isUntrusted(name)) {
    const why = `the certificate of the server is not trusted (${name}). Name its authority in NODE_EXTRA_CA_CERTS`;
    return { name, facts: ['permission_denied', why] };
  }
  if (name === '' && !(error instanceof NoAnswer)) return undefined;
  return {
    name,
    facts: ['unavailable', 'the connection failed or broke off. Check the endpoint, then try again'],
  };
}
