import { SpiralError, shown } from '../core/errors.js';
import { conditionCharactersMax } from '../core/limits.js';
import type { Scalar } from './literal.js';

type Token =
  | {
      readonly kind: 'word' | 'name' | 'text' | 'sign';
      readonly text: string;
      readonly at: number;
      readonly end: number;
    }
  | { readonly kind: 'number'; readonly text: string; readonly at: number; readonly end: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number; readonly end: number };

/** Words that are no names of columns unless they stand in double quotes or behind a dot. */
const keywords: readonly string[] = [
  'and',
  'or',
  'not',
  'is',
  'null',
  'in',
  'like',
  'between',
  'true',
  'false',
  'timestamp',
];
const patterns: readonly (readonly [kind: Exclude<Token['kind'], 'end'>, pattern: RegExp])[] = [
  ['number', /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['name', /"(?:[^"]|"")*"/y],
  ['text', /'(?:[^']|'')*'/y],
  ['sign', /<=|>=|<>|!=|==|[=<>(),.-]/y],
];

/** The tokens of a condition in text, taken one by one; errors show where in the text. */
export class TextTokens {
  readonly #text: string;
  #next: Token;

  /** @throws SpiralError `invalid_expression` for no text, or more than a condition has. */
  constructor(text: string) {
    if (typeof text !== 'string' || text.length > conditionCharactersMax) {
      throw new SpiralError(
        'invalid_expression',
        `Expected a condition as text of at most ${conditionCharactersMax} characters, got ${shown(text)}.`,
      );
    }
    this.#text = text;
    this.#next = this.#read(0);
  }

  /** Takes the keyword `word`, in any case, if it comes next. */
  word(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#advance();
    return true;
  }

  expectWord(word: string): void {
    if (!this.word(word)) throw this.unexpected(`'${word}'`);
  }

  /** Takes one of `signs` if it comes next. */
  sign(...signs: readonly string[]): string | undefined {
    const { kind, text } = this.#next;
    if (kind !== 'sign' || !signs.includes(text)) return undefined;
    this.#advance();
    return text;
  }

  expectSign(sign: string): void {
    if (this.sign(sign) === undefined) throw this.unexpected(`'${sign}'`);
  }

  /** Takes a text in single quotes. */
  expectText(): string {
    const { kind, text } = this.#next;
    if (kind !== 'text') throw this.unexpected("a text in single quotes, 'so'");
    this.#advance();
    return unquoted(text);
  }

  /** Takes a constant if one comes next. */
  literal(): { readonly value: Scalar } | undefined {
    for (const [word, value] of [
      ['null', null],
      ['true', true],
      ['false', false],
    ] as const) {
      if (this.word(word)) return { value };
    }
    if (this.#next.kind === 'text') return { value: this.expectText() };
    if (this.#next.kind === 'number') return { value: this.#number('') };
    if (this.word('timestamp')) return { value: this.#time() };
    if (this.sign('-') === undefined) return undefined;
    return { value: this.#number('-') };
  }

  /** Takes the path of a column. */
  columnNames(): string[] {
    const isKeyword = this.#next.kind === 'word' && keywords.some((word) => this.#isWord(word));
    if (isKeyword) throw this.unexpected('a column or a value (a column so named stands in double quotes)');
    const names = [this.#name('a column or a value')];
    while (this.sign('.') !== undefined) names.push(this.#name('the name of a field'));
    return names;
  }

  /** @throws SpiralError `invalid_expression` unless all tokens are taken. */
  end(): void {
    if (this.#next.kind !== 'end') throw this.unexpected("'and', 'or' or the end");
  }

  /** The error that the next token is. */
  unexpected(expected: string): SpiralError {
    const { kind, text, at } = this.#next;
    return this.#error(expected, kind === 'end' ? 'the end' : text, at);
  }

  tooDeep(most: number): SpiralError {
    return this.#error(`at most ${most} brackets and 'not's inside one another`, 'more', this.#next.at);
  }

  #name(expected: string): string {
    const { kind, text } = this.#next;
    if (kind !== 'word' && kind !== 'name') throw this.unexpected(expected);
    if (text === '""') throw this.unexpected('a name between the quotes');
    this.#advance();
    return kind === 'name' ? unquoted(text) : text;
  }

  /** Whole numbers that a float does not hold are bigints, so that every digit counts. */
  #number(sign: '' | '-'): number | bigint {
    const { kind, text, at } = this.#next;
    if (kind !== 'number') throw this.unexpected('a number');
    const value = Number(sign + text);
    const isWhole = /^\d+$/.test(text);
    const wide = isWhole && !Number.isSafeInteger(value) ? BigInt(sign + text) : undefined;
    if (
      !Number.isFinite(value) ||
      (wide !== undefined && wide !== BigInt.asIntN(64, wide) && wide !== BigInt.asUintN(64, wide))
    ) {
      throw this.#error(isWhole ? 'a whole number of at most 64 bits' : 'a number that a float holds', sign + text, at);
    }
    this.#advance();
    return wide ?? value;
  }

  #time(): Date {
    const { at } = this.#next;
    const text = this.expectText();
    const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text)
      ? Date.parse(zoned(text))
      : NaN;
    if (Number.isNaN(time)) throw this.#error("a time as '2026-01-31' or '2026-01-31T12:00:00Z'", shown(text), at);
    return new Date(time);
  }

  #isWord(word: string): boolean {
    return this.#next.kind === 'word' && this.#next.text.toLowerCase() === word;
  }

  #advance(): void {
    this.#next = this.#read(this.#next.end);
  }

  #read(from: number): Token {
    let at = from;
    while (at < this.#text.length && /\s/.test(this.#text[at]!)) at++;
    if (at === this.#text.length) return { kind: 'end', text: '', at, end: at };
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at;
      const found = pattern.exec(this.#text)?.[0];
      if (found === undefined) continue;
      const end = at + found.length;
      // `12abc` is a mistake, not a number and a name.
      if (kind === 'number' && /^[\p{L}\p{N}_]/u.test(this.#text.slice(end, end + 2))) continue;
      return { kind, text: found, at, end };
    }
    const character = String.fromCodePoint(this.#text.codePointAt(at)!);
    if (character === "'" || character === '"')
      throw this.#error(`a closing ${character}`, 'the end', this.#text.length);
    throw this.#error('a column, a value or an operator', this.#text.slice(at).split(/\s/)[0]!, at);
  }

  #error(expected: string, found: string, at: number): SpiralError {
    const column = at + 1;
    const got = found.length > 40 ? `${found.slice(0, 37)}...` : found;
    return new SpiralError(
      'invalid_expression',
      `Expected ${expected} at column ${column} of the condition ${shown(this.#text)}, got ${got}.`,
      { details: { text: this.#text, column, expected, found: got } },
    );
  }
}

/** Without its quotes, doubled ones inside made one. */
function unquoted(text: string): string {
  const quote = text[0]!;
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}

/** A time that names no zone is in UTC, wherever the program runs. */
function zoned(text: string): string {
  return text.includes('T') && !/(Z|[+-]\d\d:\d\d)$/.test(text) ? `${text}Z` : text;
}
