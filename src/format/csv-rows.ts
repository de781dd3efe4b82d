import { shownText, type TextPlace } from './text-place.js';

const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Whether a field stood in quotes. */
export const unquoted = 0;
export const quotedPlain = 1;
/** In quotes, with doubled quotes inside. */
export const quotedDoubled = 2;

/**
 * Takes rows of CSV (RFC 4180) apart into the places of their fields, in one scan over bytes; docs/architecture.md says why
 * by itself. Rows end with LF, CRLF or CR; a quote within a field that does not begin with one is text.
 */
export class CsvRows {
  /** Fields of the row read last. */
  count = 0;
  /** Where field `f` begins and ends, without its quotes, and how it was quoted. */
  starts: Int32Array = new Int32Array(64);
  ends: Int32Array = new Int32Array(64);
  quoted: Uint8Array = new Uint8Array(64);
  readonly #place: TextPlace;
  readonly #delimiter: number;
  readonly #stops: Uint8Array = new Uint8Array(256);

  constructor(delimiter: string, place: TextPlace) {
    this.#delimiter = delimiter.charCodeAt(0);
    for (const byte of [this.#delimiter, lineFeed, carriageReturn]) this.#stops[byte] = 1;
    this.#place = place;
  }

  /**
   * Reads the row at `start` and returns where the next one begins; -1 where the row may go on after `end`.
   *
   * @throws SpiralError `corrupt_file` for a quote that is never closed, and for text after a closing one.
   */
  next(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const stops = this.#stops;
    let at = start;
    for (let field = 0; ; field++) {
      if (field === this.starts.length) this.#grow();
      if (at < end && bytes[at] === quote) {
        at = this.#readQuoted(bytes, at, end, field, isLast);
        if (at < 0) return -1;
      } else {
        this.starts[field] = at;
        while (at < end && stops[bytes[at]!] === 0) at++;
        this.ends[field] = at;
        this.quoted[field] = unquoted;
      }
      this.count = field + 1;
      if (at >= end) return isLast ? end : -1;
      const byte = bytes[at++];
      if (byte === this.#delimiter) continue;
      if (byte === lineFeed) return at;
      if (at >= end) return isLast ? end : -1;
      return bytes[at] === lineFeed ? at + 1 : at;
    }
  }

  /** Whether the row read last is an empty line, which is no row. */
  get isBlank(): boolean {
    return this.count === 1 && this.starts[0] === this.ends[0] && this.quoted[0] === unquoted;
  }

  /** Reads a field that begins with a quote, and returns where it ends; -1 where that may be after `end`. */
  #readQuoted(bytes: Buffer, start: number, end: number, field: number, isLast: boolean): number {
    let form = quotedPlain;
    let at = start + 1;
    for (;;) {
      while (at < end && bytes[at] !== quote) at++;
      if (at >= end) {
        if (!isLast) return -1;
        throw this.#place.corrupt('a closing quote', `none for the one of field ${field + 1}`, 'Mend the row.');
      }
      if (at + 1 >= end || bytes[at + 1] !== quote) break;
      form = quotedDoubled;
      at += 2;
    }
    this.starts[field] = start + 1;
    this.ends[field] = at;
    this.quoted[field] = form;
    if (++at >= end) return isLast ? at : -1;
    if (this.#stops[bytes[at]!] === 1) return at;
    throw this.#place.corrupt(
      `the end of field ${field + 1} after its closing quote`,
      shownText(bytes, at, Math.min(end, at + 20)),
      'Double the quotes within quoted text.',
    );
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.starts.length);
    larger.set(this.starts);
    this.starts = larger;
    this.ends = Int32Array.from(larger, (_, field) => this.ends[field] ?? 0);
    this.quoted = Uint8Array.from(larger, (_, field) => this.quoted[field] ?? 0);
  }
}

/** Turns doubled quotes into single ones, in memory that is used again. */
export class Unquoting {
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;

  /** The text of `from … to` of `bytes`: bytes `0 … end` of the answer, until the next call. */
  read(bytes: Buffer, from: number, to: number): Buffer {
    if (this.#bytes.length < to - from) this.#bytes = Buffer.allocUnsafeSlow(Math.max(4096, to - from));
    const target = this.#bytes;
    let into = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      target[into++] = byte;
      if (byte === quote) at++;
    }
    this.#end = into;
    return target;
  }

  get end(): number {
    return this.#end;
  }
}
