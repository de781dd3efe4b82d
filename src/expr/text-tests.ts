import type { Data } from 'apache-arrow';
import { type ByteView, bytesOf, textReader } from './byte-view.js';
import { falseBits, trueBits } from './values.js';

/** Tests of text that write a truth. `step` 0 stands for one value for all rows. */
type TextTest = (text: ByteView, textStep: number, part: ByteView, partStep: number, truth: Uint8Array) => void;

/** Whether text begins with `part`. */
export const startsWith: TextTest = ({ bytes, offsets }, textStep, part, partStep, truth) => {
  for (let row = 0; row < truth.length; row++) {
    const [from, to] = [part.offsets[row * partStep]!, part.offsets[row * partStep + 1]!];
    const start = offsets[row * textStep]!;
    let at = from;
    if (offsets[row * textStep + 1]! - start >= to - from) {
      while (at < to && part.bytes[at]! === bytes[start + at - from]!) at++;
    }
    truth[row] = at === to ? trueBits : falseBits;
  }
};

/** Whether text ends with `part`. */
export const endsWith: TextTest = ({ bytes, offsets }, textStep, part, partStep, truth) => {
  for (let row = 0; row < truth.length; row++) {
    const [from, to] = [part.offsets[row * partStep]!, part.offsets[row * partStep + 1]!];
    const start = offsets[row * textStep + 1]! - (to - from);
    let at = from;
    if (start >= offsets[row * textStep]!) {
      while (at < to && part.bytes[at]! === bytes[start + at - from]!) at++;
    }
    truth[row] = at === to ? trueBits : falseBits;
  }
};

/** Whether `part` is somewhere in text. */
export const contains: TextTest = (text, textStep, part, partStep, truth) => {
  const { offsets } = text;
  const haystack = Buffer.from(text.bytes.buffer, text.bytes.byteOffset, text.bytes.byteLength);
  const needles = Buffer.from(part.bytes.buffer, part.bytes.byteOffset, part.bytes.byteLength);
  let next = -2;
  let needle = needles.subarray(part.offsets[0], part.offsets[1]);
  for (let row = 0; row < truth.length; row++) {
    if (partStep === 1) needle = needles.subarray(part.offsets[row], part.offsets[row + 1]);
    const from = offsets[row * textStep]!;
    const to = offsets[row * textStep + 1]!;
    if (partStep === 1 || textStep === 0) {
      truth[row] = haystack.subarray(from, to).includes(needle) ? trueBits : falseBits;
      continue;
    }
    // One search over all rows: where the next match lies beyond this row, no other search is due.
    if (next !== -1 && next < from) next = haystack.indexOf(needle, from);
    while (next !== -1 && next < to && next + needle.length > to) next = haystack.indexOf(needle, next + 1);
    const isHere = next !== -1 && next >= from && next + needle.length <= to;
    truth[row] = needle.length === 0 || isHere ? trueBits : falseBits;
  }
};

/**
 * Whether the whole text is like `pattern`: `%` stands for any text, `_` for one character (code point), `mark` before one
 * of them for itself. Takes time in proportion to text times pattern at worst.
 */
export function likeTest(pattern: string, mark: string | undefined): (data: Data, truth: Uint8Array) => void {
  const tokens = likeTokens(pattern, mark);
  const simple = simpleTest(tokens);
  if (simple !== undefined) return simple;
  return (data, truth) => {
    const read = textReader(data);
    for (let row = 0; row < truth.length; row++) truth[row] = isLike(read(row), tokens) ? trueBits : falseBits;
  };
}

/** A pattern without `_` whose only `%` are at its ends is a test of bytes. */
function simpleTest(tokens: readonly LikeToken[]): ((data: Data, truth: Uint8Array) => void) | undefined {
  const isOpen = tokens[0] === anyText;
  const isLoose = tokens.length > 1 && tokens.at(-1) === anyText;
  const inner = tokens.slice(isOpen ? 1 : 0, isLoose ? -1 : undefined);
  if (!isOpen && !isLoose) return undefined;
  if (inner.some((token) => typeof token !== 'string')) return undefined;
  const bytes = Buffer.from(inner.join(''));
  const part = { bytes, offsets: Int32Array.of(0, bytes.length) };
  const test = isOpen && isLoose ? contains : isLoose ? startsWith : endsWith;
  return (data, truth) => test(bytesOf(data), 1, part, 0, truth);
}

const anyText: unique symbol = Symbol('%');
const anyCharacter: unique symbol = Symbol('_');
/** A part of a pattern: a wildcard, or a character that stands for itself. */
export type LikeToken = string | typeof anyText | typeof anyCharacter;

/** The parts of a pattern. */
export function likeTokens(pattern: string, mark: string | undefined): LikeToken[] {
  const tokens: LikeToken[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === mark && at + 1 < characters.length) tokens.push(characters[++at]!);
    else tokens.push(character === '%' ? anyText : character === '_' ? anyCharacter : character);
  }
  return tokens;
}

/** The text that everything like a pattern begins with. */
export function likePrefix(tokens: readonly LikeToken[]): string {
  const end = tokens.findIndex((token) => typeof token !== 'string');
  return tokens.slice(0, end < 0 ? tokens.length : end).join('');
}

/** Goes back to the last `%` alone, as an earlier one can match no more than that one. */
function isLike(text: string, tokens: readonly LikeToken[]): boolean {
  const characters = [...text];
  let at = 0;
  let token = 0;
  let star = -1;
  let resume = 0;
  while (at < characters.length) {
    if (tokens[token] === anyText) {
      star = token++;
      resume = at;
    } else if (token < tokens.length && (tokens[token] === anyCharacter || tokens[token] === characters[at])) {
      at++;
      token++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++resume;
    } else return false;
  }
  while (tokens[token] === anyText) token++;
  return token === tokens.length;
}
