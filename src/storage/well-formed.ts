import { SpiralError } from '../core/errors.js';

/** Half of a pair of surrogates without the other: no text, and nothing that can be percent-encoded. */
const loneSurrogate = /\p{Surrogate}/u;

/** Refuses a URI or path that is no well-formed text. @throws SpiralError `invalid_argument`. */
export function checkWellFormed(uri: string): void {
  const at = uri.search(loneSurrogate);
  if (at < 0) return;
  throw new SpiralError(
    'invalid_argument',
    `Expected a path or URI in well-formed Unicode, got one with half a character (a lone surrogate) at ${at}. Name it anew.`,
    { details: { at } },
  );
}
