import { shown } from '../core/errors.js';

/** `uri` without the user, password and query that one of http may hold: what messages, details and states may have. */
export function withoutSecrets(uri: string): string {
  const scheme = /^https?:/i.exec(uri)?.[0];
  if (scheme === undefined) return uri;
  if (!URL.canParse(uri)) return `${scheme}//…`;
  const { origin, pathname } = new URL(uri);
  return origin + pathname;
}

/** `uri` as it should stand in a message. */
export function shownUri(uri: unknown): string {
  return shown(typeof uri === 'string' ? withoutSecrets(uri) : uri);
}
