import { shown } from '../core/errors.js';

/**
 * `uri` without what may be secret in it: user, password and query. It is what messages, details and states may have. Plain
 * paths and `file://` are given back as they are.
 */
export function withoutSecrets(uri: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[0];
  if (scheme === undefined || /^file:/i.test(scheme)) return uri;
  if (/^https?:/i.test(scheme)) {
    if (!URL.canParse(uri)) return `${scheme}…`;
    const { origin, pathname } = new URL(uri);
    return origin + pathname;
  }
  // A `?` may be in a name, or a pattern; a query has names and values. Names of buckets have neither ':' nor '@'.
  const [place = ''] = uri.slice(scheme.length).split(/\?(?=[\w-]+=)/);
  const [authority = ''] = place.split('/');
  if (!/[:@]/.test(authority)) return scheme + place;
  // A secret may hold any sign, '/' too.
  return place.includes('@') ? `${scheme}${place.slice(place.lastIndexOf('@') + 1)}` : `${scheme}…`;
}

/** `uri` as it should stand in a message. */
export function shownUri(uri: unknown): string {
  return shown(typeof uri === 'string' ? withoutSecrets(uri) : uri);
}
