import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SpiralError } from '../core/errors.js';
import { openStore } from '../storage/open-store.js';
import { shownUri } from '../storage/shown-uri.js';
import type { ObjectStore } from '../storage/store.js';

/** Where a file is to be written: a store of its folder, to be closed by the caller, and its name in there. */
export interface ExportPlace {
  readonly store: ObjectStore;
  readonly path: string;
}

/**
 * The place of the file at `uri`: a path, `file://`, `s3://bucket/path`, `gs://bucket/path`, `az://container/path` or `memory://name/path`.
 *
 * @throws SpiralError `invalid_argument` for what names no file, `unsupported` for another scheme.
 */
export function exportPlace(uri: string): ExportPlace {
  if (typeof uri !== 'string' || uri === '' || uri.endsWith('/')) throw noFile(uri);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file') {
    const place = scheme === undefined ? resolve(uri) : pathOf(uri);
    return { store: openStore(dirname(place)), path: basename(place) };
  }
  const slash = uri.lastIndexOf('/');
  if (slash < scheme.length + 3) throw noFile(uri);
  const store = openStore(uri.slice(0, slash));
  try {
    return { store, path: decodeURIComponent(uri.slice(slash + 1)) };
  } catch (cause) {
    throw noFile(uri, cause);
  }
}

function pathOf(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw noFile(uri, cause);
  }
}

function noFile(uri: unknown, cause?: unknown): SpiralError {
  return new SpiralError(
    'invalid_argument',
    `Expected the path or URI of a file to write, such as 'out/rows.parquet' or 'file:///data/rows.parquet', got ${shownUri(uri)}.`,
    { details: { found: shownUri(uri) }, cause },
  );
}
