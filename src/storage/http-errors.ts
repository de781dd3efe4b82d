import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '../core/codes.js';
import { SpiralError, shown } from '../core/errors.js';
import { BadRedirect, NoAnswer, Stalled } from './http-wire.js';
import { notFound } from './store-errors.js';

/** What was asked for of a web server when it failed. */
export interface HttpWork {
  readonly uri: string;
  readonly path: string;
}

/** The error that an answer of another status than was hoped for is. */
export function statusError(response: IncomingMessage, { uri, path }: HttpWork): SpiralError {
  const status = response.statusCode!;
  if (status === 404 || status === 410) return notFound(uri, path);
  const [code, why] = statusFacts(status);
  const waitMs = code === 'unavailable' ? retryAfterMs(response) : undefined;
  return new SpiralError(code, `Could not read ${shown(path)} in ${uri} (HTTP status ${status}): ${why}.`, {
    details: { uri, path, status, ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }) },
  });
}

function statusFacts(status: number): readonly [ErrorCode, string] {
  if (status === 401 || status === 403 || status === 407 || status === 451) {
    return [
      'permission_denied',
      'the server refuses. Put user:password@ before the host in the URI, or mend the rights there',
    ];
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return ['unavailable', 'the server cannot answer now. Try again'];
  }
  if (status >= 400) return ['invalid_argument', 'the server does not take such a request. Check the URI'];
  return ['unsupported', 'that is no answer to a request for a file. Check that the URI is of a file server'];
}

function retryAfterMs({ headers }: IncomingMessage): number | undefined {
  const seconds = Number(headers['retry-after']);
  return seconds > 0 ? 1000 * seconds : undefined;
}

/** A failed exchange as a SpiralError that names the object and the remedy; any other error as it is. */
export function exchangeError(error: unknown, { uri, path }: HttpWork): unknown {
  const make = (code: ErrorCode, why: string, systemCode?: string): SpiralError =>
    new SpiralError(code, `Could not read ${shown(path)} in ${uri}: ${why}.`, {
      details: { uri, path, ...(systemCode === undefined ? {} : { systemCode }) },
      cause: error,
    });
  if (error instanceof Stalled) return make('unavailable', `the server is silent (${error.message}). Try again`);
  if (error instanceof BadRedirect)
    return make('unsupported', `${error.message} is not followed. Name the place itself`);
  if (!(error instanceof NoAnswer)) return error;
  const code = (error.cause as NodeJS.ErrnoException).code ?? '';
  if (isUntrusted(code)) {
    const remedy = 'Name its authority in NODE_EXTRA_CA_CERTS, or mend the certificate';
    return make('permission_denied', `the certificate of the server is not trusted (${code}). ${remedy}`, code);
  }
  return make('unavailable', `the connection failed or broke off (${code}). Check the host, then try again`, code);
}

/** Failures of certificates, which no second try mends. */
export function isUntrusted(code: string): boolean {
  return /CERT|SIGNED|SIGNATURE|^ERR_TLS_|^UNABLE_TO_|^CRL_|^HOSTNAME_MISMATCH$/.test(code);
}

/** The error of bytes that do not make up the object, though no connection failed. */
export function wrongAnswer({ uri, path }: HttpWork, found: string): SpiralError {
  return new SpiralError(
    'unavailable',
    `Could not read ${shown(path)} in ${uri}: ${found}. Try again; if it stays so, the server or a proxy before it is broken.`,
    { details: { uri, path, found } },
  );
}
