import type { RandomStream } from '../../src/core/random.js';
import { pick } from './mutate-bytes.js';

/** What trips parsers of text: huge and odd numbers, brackets, quotes, escapes, names of prototypes, rare characters. */
const oddPieces: readonly string[] = [
  '',
  '0',
  '-1',
  '-0',
  '1e999',
  '1e-999',
  '9007199254740993',
  '-9223372036854775809',
  '18446744073709551616',
  '0x10',
  '1_000',
  '00012',
  '1.7976931348623159e308',
  '9'.repeat(400),
  'NaN',
  'Infinity',
  'null',
  'true',
  '""',
  '"',
  "'",
  '`',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\x',
  '\u0000',
  '\ufeff',
  '\ud83d\ude00',
  '\ud800',
  '\u202e',
  '\u2028',
  '\r',
  '\n',
  '\r\n',
  '\t',
  ' ',
  ',',
  ';',
  ':',
  '=',
  '.',
  '..',
  '../../',
  '/',
  '//',
  '%00',
  '%2e%2e',
  '%',
  '#',
  '?',
  '@',
  '[',
  ']',
  '{',
  '}',
  '(',
  ')',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '"__proto__":',
  '1979-05-27T07:32:00Z',
  '0000-00-00',
];

/** Around which a piece can be nested. */
const nests: readonly (readonly [string, string])[] = [
  ['[', ']'],
  ['{"a":', '}'],
  ['(', ')'],
  ['"', '"'],
  ['not ', ''],
  ['-', ''],
];

/** Characters beyond which a text is not made longer: longer ones would show nothing else. */
const charactersMax = 100_000;

/** Pieces of letters and digits, of space, and single signs. */
const tokenPattern = /[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu;

type Change = (tokens: string[], draw: RandomStream, other: readonly string[]) => void;

const changes: readonly Change[] = [
  (tokens, draw) => {
    tokens[draw.below(tokens.length)] = pick(oddPieces, draw);
  },
  (tokens, draw) => {
    tokens.splice(draw.below(tokens.length + 1), 0, pick(oddPieces, draw));
  },
  (tokens, draw) => {
    tokens.splice(draw.below(tokens.length), 1 + draw.below(3));
  },
  (tokens, draw) => {
    const [a, b] = [draw.below(tokens.length), draw.below(tokens.length)];
    [tokens[a], tokens[b]] = [tokens[b]!, tokens[a]!];
  },
  (tokens, draw) => {
    const at = draw.below(tokens.length);
    const run = tokens.slice(at, at + 1 + draw.below(8));
    const times = run.join('').length > 1000 ? 1 : pick([1, 1, 2, 50], draw);
    tokens.splice(at, 0, ...Array.from({ length: times }, () => run).flat());
  },
  (tokens, draw, other) => {
    const at = draw.below(other.length);
    tokens.splice(draw.below(tokens.length + 1), draw.below(3), ...other.slice(at, at + 1 + draw.below(12)));
  },
  (tokens, draw) => {
    tokens.length = draw.below(tokens.length) + 1;
  },
  (tokens, draw) => {
    const at = draw.below(tokens.length);
    const [open, close] = pick(nests, draw);
    const depth = pick([1, 2, 65, 600, 20_000], draw);
    tokens[at] = open.repeat(depth) + tokens[at] + close.repeat(depth);
  },
  (tokens, draw) => {
    const at = draw.below(tokens.length);
    const letters = [...tokens[at]!];
    const letter = String.fromCodePoint(pick([draw.below(128), draw.below(0xd800), 0x1f600 + draw.below(64)], draw));
    letters.splice(draw.below(letters.length + 1), draw.below(2), letter);
    tokens[at] = letters.join('');
  },
  (tokens, draw) => {
    const at = draw.below(tokens.length);
    const token = tokens[at]!;
    tokens[at] = pick([token.toUpperCase(), token.repeat(token.length > 300 ? 1 : 300), token + token], draw);
  },
];

/** `text` with one to four changes, most often one; pieces of `other` may stand in it. */
export function mutateText(text: string, draw: RandomStream, other: string = text): string {
  const tokens: string[] = text.match(tokenPattern) ?? [''];
  const pieces = other.match(tokenPattern) ?? [''];
  const count = 1 + [0, 0, 0, 1, 1, 2, 3][draw.below(7)]!;
  for (let at = 0; at < count; at++) {
    if (tokens.length === 0) tokens.push('');
    if (tokens.reduce((sum, { length }) => sum + length, 0) > charactersMax) break;
    pick(changes, draw)(tokens, draw, pieces);
  }
  return tokens.join('');
}
