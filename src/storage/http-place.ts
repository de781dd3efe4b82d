import { SpiralError } from '../core/errors.js';
import { shownUri, withoutSecrets } from './shown-uri.js';

/** A folder of a web server. */
export interface HttpPlace {
  /** Without credentials, and without a '/' at its end. */
  readonly uri: string;
  /** With them: for other threads only. */
  readonly secretUri: string;
  /** Of the header of that name; for this origin alone. */
  readonly authorization: string | undefined;
}

/** Credentials by the URI that they came with; a few, as each names a server by hand. */
const remembered = new Map<string, { readonly userinfo: string; readonly authorization: string }>();
const rememberedMax = 1024;

/**
 * The place that `uri` names. Credentials in it are remembered in this thread for that folder and what is below: a state
 * or a file set names places without them.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI or one with a query or fragment, none of it shown.
 */
export function httpPlace(uri: string): HttpPlace {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || url.hostname === '') throw malformed(uri, 'http://host/folder or https://host/folder');
  if (/[?#]/.test(uri)) throw malformed(uri, "a URI without '?' and '#', which are written %3F and %23 in a name");
  const plain = withoutSecrets(uri).replace(/\/+$/, '');
  const own = url.username !== '' || url.password !== '' ? credentialsOf(url, uri) : undefined;
  if (own !== undefined) remember(plain, own);
  const found = own ?? recall(plain);
  return {
    uri: plain,
    secretUri: found === undefined ? plain : plain.replace('//', () => `//${found.userinfo}@`),
    authorization: found?.authorization,
  };
}

function credentialsOf({ username, password }: URL, uri: string): { userinfo: string; authorization: string } {
  try {
    const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return {
      userinfo: `${username}:${password}`,
      authorization: `Basic ${Buffer.from(text, 'utf8').toString('base64')}`,
    };
  } catch {
    // No cause: its message may quote them.
    throw malformed(uri, 'user and password percent-encoded');
  }
}

function remember(plain: string, found: { userinfo: string; authorization: string }): void {
  remembered.delete(plain);
  remembered.set(plain, found);
  const [oldest] = remembered.keys();
  if (remembered.size > rememberedMax && oldest !== undefined) remembered.delete(oldest);
}

/** What was remembered of the nearest folder that `plain` is in, or is. */
function recall(plain: string): { userinfo: string; authorization: string } | undefined {
  const origin = new URL(plain).origin;
  for (let folder = plain; folder.length >= origin.length; folder = folder.slice(0, folder.lastIndexOf('/'))) {
    const found = remembered.get(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

function malformed(uri: string, expected: string): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${expected}, got ${shownUri(uri)}.`, {
    details: { uri: withoutSecrets(uri) },
  });
}
