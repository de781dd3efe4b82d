import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SpiralError, shown } from '../core/errors.js';
import { openStore } from '../storage/open-store.js';
import { shownUri, withoutSecrets } from '../storage/shown-uri.js';
import { checkWellFormed } from '../storage/well-formed.js';

/** A place that was named: a store and then `segments`, the last of which may be patterns. */
export interface FilePlace {
  /** As messages may show it. */
  readonly uri: string;
  /** What `openStore` takes for the folder of `segments`. */
  readonly open: (segments: readonly string[]) => string;
  /** Names the store: places of one store have the same, which may hold credentials. */
  readonly store: string;
  readonly segments: readonly string[];
  /** Whether folders and patterns can be looked through. */
  readonly lists: boolean;
}

/** The place of a path or a URI. @throws SpiralError `invalid_argument`, and as `openStore` for its scheme. */
export function filePlace(uri: unknown): FilePlace {
  if (typeof uri !== 'string' || uri === '') {
    throw new SpiralError(
      'invalid_argument',
      `Expected the path or URI of a file, folder or pattern, got ${shown(uri)}.`,
      {
        details: { found: shown(uri) },
      },
    );
  }
  checkWellFormed(uri);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file')
    return diskPlace(uri, scheme === undefined ? resolve(uri) : diskPath(uri));
  // What is malformed, or of no known scheme, is refused by the store.
  const web = scheme === 'http' || scheme === 'https';
  if (scheme !== 'memory') openStore(uri);
  const [authority, ...path] = uri.slice(scheme.length + '://'.length).split('/');
  const store = `${scheme}://${authority}`;
  const segments = path.filter((segment) => segment !== '').map((segment) => decoded(segment, uri));
  const open = (of: readonly string[]): string => [store, ...of.map(encodeURIComponent)].join('/');
  return { uri: withoutSecrets(uri), store, segments, open, lists: !web };
}

function diskPlace(uri: string, path: string): FilePlace {
  const segments = path.split(sep).filter((segment) => segment !== '');
  const root = sep === '/' ? '/' : '';
  const open = (of: readonly string[]): string => root + of.join('/') + (sep === '\\' && of.length === 1 ? '/' : '');
  return { uri, store: 'file', segments, open, lists: true };
}

function diskPath(uri: string): string {
  try {
    const url = new URL(uri);
    if (url.search !== '' || url.hash !== '') throw new Error("A '?' or '#' in a name is written %3F or %23.");
    return fileURLToPath(url);
  } catch (cause) {
    throw new SpiralError(
      'invalid_argument',
      `Expected file:///folder/file, absolute and percent-encoded, got ${shown(uri)}. Or pass the plain path.`,
      { details: { uri }, cause },
    );
  }
}

function decoded(segment: string, uri: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new SpiralError('invalid_argument', `Expected a percent-encoded URI, got ${shownUri(uri)}.`, {
      details: { uri: withoutSecrets(uri) },
      cause,
    });
  }
}
