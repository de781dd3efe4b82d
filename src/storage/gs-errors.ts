import type { IncomingMessage } from 'node:http';
import { SpiralError } from '../core/errors.js';
import type { CloudWork } from './cloud-client.js';
import { cloudError, type FailureFacts, statusFacts, wireFacts } from './cloud-error.js';
import { readWhole } from './http-answer.js';

/** Bytes of an answer that says what is wrong. */
const reasonBytesMax = 16 * 1024;

/** An answer of another status than was hoped for. */
export class GsRefusal extends Error {
  readonly status: number;
  /** What Google calls it: `notFound`, `conditionNotMet` … */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly isBucket: boolean;

  constructor(status: number, reason: string, isBucket: boolean, retryAfterMs: number | undefined) {
    super(`HTTP status ${status}`);
    this.status = status;
    this.reason = reason;
    this.isBucket = isBucket;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The refusal that `response` is. Only what it is called is kept of its text. */
export async function refusalOf(response: IncomingMessage): Promise<GsRefusal> {
  const { statusCode = 0, headers } = response;
  const bytes = (await readWhole(response, undefined, reasonBytesMax)) ?? new Uint8Array(0);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const reason = /"reason"\s*:\s*"(\w{1,60})"/.exec(text)?.[1] ?? '';
  const waitMs = 1000 * Number(headers['retry-after']);
  const isBucket = /specified bucket does not exist/i.test(text);
  return new GsRefusal(statusCode, reason, isBucket, waitMs > 0 ? waitMs : undefined);
}

/** A failed request as a SpiralError; an error that is of no request as it is. */
export function gsError(error: unknown, work: CloudWork): unknown {
  if (error instanceof SpiralError || !(error instanceof Error)) return error;
  if (error instanceof GsRefusal) {
    const { status, reason: name, retryAfterMs } = error;
    return cloudError(refusalFacts(error), { name, status, retryAfterMs }, work, error);
  }
  const none = { status: undefined, retryAfterMs: undefined };
  if (/default credentials|invalid_grant|Could not refresh access token|credential/i.test(error.message)) {
    const why =
      'no credentials were found, or they have expired. Set GOOGLE_APPLICATION_CREDENTIALS, log in with `gcloud auth application-default login`, or give the machine a service account';
    return cloudError(['permission_denied', why], { ...none, name: 'credentials' }, work, error);
  }
  const wire = wireFacts(error);
  return wire === undefined ? error : cloudError(wire.facts, { ...none, name: wire.name }, work, error);
}

function refusalFacts({ status, reason, isBucket }: GsRefusal): FailureFacts {
  if (isBucket) return ['not_found', 'there is no such bucket. Make it, or mend the URI'];
  if (reason === 'retentionPolicyNotMet' || reason === 'objectUnderActiveHold') {
    return ['permission_denied', 'a policy or a hold keeps it as it is. End that'];
  }
  if (reason === 'quotaExceeded' && status === 403) {
    return ['storage_full', 'a quota is used up. Raise it, or free some space'];
  }
  if (reason === 'rateLimitExceeded' || reason === 'userRateLimitExceeded') {
    return ['unavailable', 'the store is asked too often. Try again'];
  }
  return statusFacts(status, 'bucket');
}
