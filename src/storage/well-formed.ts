import { SpiralError } from '../core/errors.js';
import { uriCharactersMax } from '../core/limits.js';

/** Half of a pair of surrogates without the other: no text, and nothing that can be percent-encoded. */
const loneSurrogate = /\p{Surrogate}/u;

/** Refuses a URI or path that is no well-formed text, or longer than any is. @throws SpiralError `invalid_argument`. */
export function checkWellFormed(uri: string): void {
  if (uri.length > uriCharactersMax) {
    throw new SpiralError(
      'invalid_argument',
      `Expected a path or URI of at most ${uriCharactersMax} characters, got one of ${uri.length}.`,
      { details: { expected: uriCharactersMax, found: uri.length } },
    );
  }
  const at = uri.search(loneSurrogate);
  if (at < 0) return;
  throw new SpiralError(
    'invalid_argument',
    `Expected a path or URI in well-formed Unicode, got one with half a character (a lone surrogate) at ${at}. Name it anew.`,
    { details: { at } },
  );
}
