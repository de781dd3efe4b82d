import type { Data, DataType } from 'apache-arrow';
import { buildColumn } from '../arrow/build.js';

/** What a fetch gave; a failure has no bytes. */
export interface Fetched {
  readonly bytes: Uint8Array | null;
  /** Where the bytes were in the end, after redirects. */
  readonly location: string;
  /** Milliseconds since the epoch. */
  readonly lastModified: number | null;
  readonly eTag: string | null;
  readonly version: string | null;
  /** That of HTTP: the server's, or the one that says best why there was no answer. */
  readonly status: number;
}

/** A fetch that failed. */
export function failedFetch(location: string, status: number): Fetched {
  return { bytes: null, location, lastModified: null, eTag: null, version: null, status };
}

/** The column of an effect of `type`, the struct of a fetch. */
export function fetchedColumn(name: string, type: DataType, rows: readonly (Fetched | null)[]): Data {
  const values = rows.map(
    (one) =>
      one && {
        bytes: one.bytes,
        meta: {
          location: one.location,
          last_modified: one.lastModified,
          size: one.bytes?.length ?? null,
          e_tag: one.eTag,
          version: one.version,
          status_code: one.status,
        },
      },
  );
  return buildColumn(name, type, values, rows.length, 'fetched rows');
}
