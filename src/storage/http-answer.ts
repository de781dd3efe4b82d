import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { trustedBytesMax } from '../core/limits.js';
import { uninitializedBytes } from './byte-buffer.js';

/** What a server tells of the version of an object; two are compared by what both have. */
export interface ObjectVersion {
  /** As it stands in the header, but for the mark of weak ones. */
  readonly etag: string | undefined;
  /** The header `Last-Modified`. */
  readonly modified: string | undefined;
  /** Bytes of the whole object. */
  readonly size: number | undefined;
}

/** The part of an object that an answer holds. */
export interface ContentRange {
  readonly from: number;
  /** Behind its last byte. */
  readonly to: number;
  /** Of the whole object, where it is told. */
  readonly size: number | undefined;
}

/** The version that `response` is of; `size` is that of the whole object. */
export function versionOf({ headers }: IncomingMessage, size: number | undefined): ObjectVersion {
  return { etag: headers.etag?.replace(/^W\//, ''), modified: headers['last-modified'], size };
}

/** Whether two versions of one object are known to differ. */
export function differ(a: ObjectVersion, b: ObjectVersion): boolean {
  if (a.size !== undefined && b.size !== undefined && a.size !== b.size) return true;
  if (a.etag !== undefined && b.etag !== undefined) return a.etag !== b.etag;
  return a.modified !== undefined && b.modified !== undefined && a.modified !== b.modified;
}

/** The header `Content-Length`. */
export function contentLength({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** The header `Content-Range` of a 206 (RFC 9110, 14.4); undefined for none that makes sense. */
export function contentRange(header: string | undefined): ContentRange | undefined {
  const [whole, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header ?? '') ?? [];
  if (whole === undefined) return undefined;
  const [from, to] = [Number(first), Number(last) + 1];
  const size = total === '*' ? undefined : Number(total);
  return to > from && (size === undefined || to <= size) ? { from, to, size } : undefined;
}

/** The size of the object that a 416 tells; undefined where it does not. */
export function sizeOfUnsatisfied({ headers }: IncomingMessage): number | undefined {
  const size = /^bytes \*\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  return size === undefined ? undefined : Number(size);
}

/**
 * Fills `into` with the body of `response` from byte `skip` on, and leaves what is behind; without a `skip`, none is expected
 * to be. Resolves with the bytes filled, fewer where the body ends before. `into` is not written to once `response` was
 * destroyed.
 */
export function readInto(response: Readable, into: Uint8Array, skip?: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = -(skip ?? 0);
    response.on('data', (chunk: Uint8Array) => {
      const wanted = chunk.subarray(Math.max(0, -at), Math.max(0, into.length - at));
      into.set(wanted, Math.max(0, Math.min(at, into.length)));
      at += chunk.length;
      if (at < into.length || (at === into.length && skip === undefined)) return;
      resolve(into.length);
      response.destroy();
    });
    response.on('end', () => resolve(Math.max(0, at)));
    response.on('error', reject);
    response.on('close', () => reject(new Error('The answer was left.')));
  });
}

/** The whole body of `response`, `expected` bytes by its header; undefined where it has more than `most`. */
export function readWhole(
  response: Readable,
  expected: number | undefined,
  most: number,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    let bytes = uninitializedBytes(Math.min(expected ?? firstBytes, trustedBytesMax, most));
    let size = 0;
    const take = (chunk: Uint8Array): void => {
      const needed = size + chunk.length;
      if (needed > most) {
        resolve(undefined);
        response.destroy();
        return;
      }
      if (needed > bytes.length)
        bytes = grown(bytes.subarray(0, size), Math.min(most, Math.max(needed, 2 * bytes.length)));
      bytes.set(chunk, size);
      size = needed;
    };
    response.on('data', (chunk: Uint8Array) => {
      try {
        take(chunk);
      } catch (error) {
        // Memory for so many bytes may not be had.
        reject(error);
        response.destroy();
      }
    });
    response.on('end', () => resolve(size === bytes.length ? bytes : grown(bytes.subarray(0, size), size)));
    response.on('error', reject);
    response.on('close', () => reject(new Error('The answer was left.')));
  });
}

/** Memory for a body whose length is not told. */
const firstBytes = 64 * 1024;

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const more = uninitializedBytes(length);
  more.set(bytes);
  return more;
}
