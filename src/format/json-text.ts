import { SpiralError } from '../core/errors.js';
import { shownText, type TextPlace } from './text-place.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const minus = 0x2d;
const point = 0x2e;
const zero = 0x30;
const colon = 0x3a;
/** Levels of values that are stepped over: deeper ones would exhaust the stack. */
const skippedLevelsMax = 512;

/** Bytes at which the text of a string does not simply go on: quote, backslash, control characters. */
const stops: Uint8Array = new Uint8Array(256);
stops.fill(1, 0, 0x20);
stops[quote] = 1;
stops[backslash] = 1;

/** What the letter after a backslash stands for. */
const escapes: ReadonlyMap<number, number> = new Map(
  (
    [
      ['"', '"'],
      ['\\', '\\'],
      ['/', '/'],
      ['b', '\b'],
      ['f', '\f'],
      ['n', '\n'],
      ['r', '\r'],
      ['t', '\t'],
    ] as const
  ).map(([letter, meant]) => [letter.charCodeAt(0), meant.charCodeAt(0)]),
);

/** What a value is, told by how it begins. */
export type JsonKind = 'text' | 'number' | 'bool' | 'null' | 'list' | 'struct';

/**
 * The JSON text of one row (RFC 8259), read token by token from bytes: strings are not made, numbers not rounded. NaN,
 * Infinity and -Infinity are numbers, as Python writes them. The bytes are UTF-8 for sure.
 */
export class JsonText {
  readonly place: TextPlace;
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** The string (without quotes and escapes) or number read last: a part of `token`. */
  token: Buffer = this.bytes;
  tokenFrom = 0;
  tokenTo = 0;
  /** Whether the number read last has no fraction and no exponent. */
  isWhole = false;
  #view: DataView = new DataView(this.bytes.buffer, 0, 0);
  #unescaped: Buffer = Buffer.alloc(0);

  constructor(place: TextPlace) {
    this.place = place;
  }

  /** Begins the text that is `from … to` of `bytes`. */
  begin(bytes: Buffer, from: number, to: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.at = from;
    this.end = to;
  }

  /** Checks that nothing but space is left. */
  finish(): void {
    this.#space();
    if (this.at < this.end) throw this.fault('the end of the row');
  }

  /** The kind of the value that comes next, space skipped. @throws SpiralError `corrupt_file` for none. */
  kind(): JsonKind {
    this.#space();
    const byte = this.at < this.end ? this.bytes[this.at]! : 0;
    if (byte === quote) return 'text';
    if (byte === minus || (byte >= zero && byte <= 0x39)) return 'number';
    switch (byte) {
      case 0x7b:
        return 'struct';
      case 0x5b:
        return 'list';
      case 0x6e:
        return 'null';
      case 0x74:
      case 0x66:
        return 'bool';
      case 0x4e:
      case 0x49:
        return 'number';
    }
    throw this.fault('a value');
  }

  /** Steps into a list or struct; false where it is empty, and then it is stepped over. */
  enter(closing: number): boolean {
    this.at++;
    this.#space();
    if (this.bytes[this.at] !== closing || this.at >= this.end) return true;
    this.at++;
    return false;
  }

  /** Steps over the comma after an element, or over the bracket that closes them all, for which it is false. */
  goesOn(closing: number): boolean {
    this.#space();
    const byte = this.at < this.end ? this.bytes[this.at] : 0;
    if (byte !== comma && byte !== closing) throw this.fault(`',' or '${String.fromCharCode(closing)}'`);
    this.at++;
    return byte === comma;
  }

  /** Reads a key and steps over its colon. */
  key(): void {
    this.#space();
    if (this.at >= this.end || this.bytes[this.at] !== quote) throw this.fault('a key in double quotes');
    this.string();
    this.#space();
    if (this.at >= this.end || this.bytes[this.at] !== colon) throw this.fault("':'");
    this.at++;
  }

  /** Reads a string, whose opening quote is next. */
  string(): void {
    const { bytes, end } = this;
    const from = this.at + 1;
    let at = plainEnd(this.#view, from, end);
    while (at < end && stops[bytes[at]!] === 0) at++;
    const byte = at < end ? bytes[at] : 0;
    if (byte === backslash) {
      this.#escaped(from, at);
      return;
    }
    if (byte !== quote) {
      this.#brokenString(at);
      return;
    }
    this.token = bytes;
    this.tokenFrom = from;
    this.tokenTo = at;
    this.at = at + 1;
  }

  /** Reads a number. */
  number(): void {
    const { bytes } = this;
    const from = this.at;
    if (bytes[this.at] === minus) this.at++;
    const first = this.at < this.end ? bytes[this.at]! : 0;
    this.isWhole = false;
    if (first === 0x4e) this.word('NaN');
    else if (first === 0x49) this.word('Infinity');
    else {
      if (first === zero) this.at++;
      else this.#digits();
      this.isWhole = !this.#fraction();
    }
    this.token = bytes;
    this.tokenFrom = from;
    this.tokenTo = this.at;
  }

  /** Steps over `word`, the rest of a value that begins like it. */
  word(word: string): void {
    const to = this.at + word.length;
    if (to > this.end || this.bytes.toString('latin1', this.at, to) !== word) throw this.fault(`'${word}'`);
    this.at = to;
  }

  /** Reads `true` or `false`. */
  bool(): boolean {
    const value = this.bytes[this.at] === 0x74;
    this.word(value ? 'true' : 'false');
    return value;
  }

  /** Steps over a value of any kind. @throws SpiralError `corrupt_file`; `limit_exceeded` for one nested too deep. */
  skip(level = 0): void {
    switch (this.kind()) {
      case 'text':
        this.string();
        return;
      case 'number':
        this.number();
        return;
      case 'bool':
        this.bool();
        return;
      case 'null':
        this.word('null');
        return;
      case 'list':
        this.#skipElements(0x5d, level);
        return;
      case 'struct':
        this.#skipElements(0x7d, level);
        return;
    }
  }

  /** The error of what comes next. */
  fault(expected: string): SpiralError {
    const found =
      this.at >= this.end ? 'the end of the row' : shownText(this.bytes, this.at, Math.min(this.end, this.at + 40));
    return this.place.corrupt(
      `${expected} in the JSON`,
      found,
      'Mend the row: JSON lines have one whole object on each line.',
    );
  }

  #skipElements(closing: number, level: number): void {
    if (level >= skippedLevelsMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected at most ${skippedLevelsMax} nested levels ${this.place.words}. Flatten the row.`,
        { details: { ...this.place.details, max: skippedLevelsMax } },
      );
    }
    if (!this.enter(closing)) return;
    do {
      if (closing === 0x7d) this.key();
      this.skip(level + 1);
    } while (this.goesOn(closing));
  }

  #space(): void {
    const { bytes, end } = this;
    while (this.at < end) {
      const byte = bytes[this.at];
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return;
      this.at++;
    }
  }

  #digits(): void {
    const start = this.at;
    while (this.at < this.end && this.bytes[this.at]! >= zero && this.bytes[this.at]! <= 0x39) this.at++;
    if (this.at === start) throw this.fault('a digit');
  }

  #fraction(): boolean {
    const start = this.at;
    if (this.at < this.end && this.bytes[this.at] === point) {
      this.at++;
      this.#digits();
    }
    if (this.at < this.end && (this.bytes[this.at]! | 0x20) === 0x65) {
      this.at++;
      if (this.bytes[this.at] === 0x2b || this.bytes[this.at] === minus) this.at++;
      this.#digits();
    }
    return this.at > start;
  }

  /** Goes on with a string at its first escape. What is unescaped is never longer. */
  #escaped(from: number, first: number): void {
    const { bytes, end } = this;
    const room = this.#roomFor(end - from);
    bytes.copy(room, 0, from, first);
    let into = first - from;
    let at = first;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte === quote) break;
      if (byte === backslash) {
        this.at = at;
        into = this.#escape(room, into);
        at = this.at;
      } else if (byte < 0x20) break;
      else {
        room[into++] = byte;
        at++;
      }
    }
    if (at >= end || bytes[at] !== quote) {
      this.#brokenString(at);
      return;
    }
    this.token = room;
    this.tokenFrom = 0;
    this.tokenTo = into;
    this.at = at + 1;
  }

  /** Writes what the escape at `this.at` stands for to `room`, and returns where it ends there. */
  #escape(room: Buffer, into: number): number {
    const letter = this.at + 1 < this.end ? this.bytes[this.at + 1]! : 0;
    const plain = escapes.get(letter);
    if (plain !== undefined) {
      room[into] = plain;
      this.at += 2;
      return into + 1;
    }
    let unit = this.#unit();
    if (unit >= 0xd800 && unit < 0xe000) {
      const isPair = unit < 0xdc00 && this.bytes[this.at] === backslash && this.bytes[this.at + 1] === 0x75;
      const low = isPair ? this.#unit() : 0;
      if (low < 0xdc00 || low >= 0xe000) {
        throw this.place.corrupt(
          'text without lone surrogates',
          `\\u${unit.toString(16)}, half of a pair`,
          'It has no form in UTF-8: mend the row.',
        );
      }
      unit = 0x10000 + (unit - 0xd800) * 0x400 + low - 0xdc00;
    }
    return into + room.write(String.fromCodePoint(unit), into);
  }

  /** Reads `\uXXXX`. */
  #unit(): number {
    const text = this.bytes.toString('latin1', this.at, Math.min(this.end, this.at + 6));
    if (!/^\\u[0-9a-fA-F]{4}$/.test(text)) throw this.fault('an escape such as \\n or \\u00e9');
    this.at += 6;
    return Number.parseInt(text.slice(2), 16);
  }

  #brokenString(at: number): never {
    this.at = at;
    throw this.fault(at < this.end ? 'text with its control characters escaped' : 'a closing quote');
  }

  #roomFor(bytes: number): Buffer {
    if (this.#unescaped.length < bytes) this.#unescaped = Buffer.allocUnsafeSlow(Math.max(4096, bytes));
    return this.#unescaped;
  }
}

/**
 * The end, at most three bytes early, of the bytes from `from` on that are none of {@link stops}, looked at four at a time: in
 * each term the high bit of a byte is set if it, or one below it, is a quote, a backslash or less than a space.
 */
function plainEnd(view: DataView, from: number, end: number): number {
  let at = from;
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true);
    const quotes = word ^ 0x22222222;
    const backslashes = word ^ 0x5c5c5c5c;
    const found =
      ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes) | ((word - 0x20202020) & ~word);
    if ((found & 0x80808080) !== 0) break;
  }
  return at;
}
