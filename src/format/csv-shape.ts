import { Field, Schema } from 'apache-arrow';
import { unquoted } from './csv-rows.js';
import { fitsInt64, numberForm, wholeNumberText } from './text-number.js';
import { boolKind, emptyKind, fractionKind, hugeKind, plainType, textKind, wholeKind } from './value-kind.js';

const space = 0x20;
const zero = 0x30;
const plus = 0x2b;

/** The types of the columns of a CSV file, found out cell by cell. */
export class CsvInference {
  readonly #kinds: Uint8Array;
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#kinds = new Uint8Array(names.length);
  }

  /** Takes the cell of column `column` that is `from … to` of `bytes`, as it stands there. */
  observe(column: number, bytes: Buffer, from: number, to: number, quoted: number): void {
    const kinds = this.#kinds[column]!;
    // Text takes everything: there is nothing more to find out.
    if ((kinds & textKind) !== 0) return;
    if (from === to) {
      if (quoted !== unquoted) this.#kinds[column] = kinds | emptyKind;
    } else this.#kinds[column] = kinds | cellKind(bytes, from, to);
  }

  get schema(): Schema {
    return new Schema(this.#names.map((name, column) => new Field(name, plainType(this.#kinds[column]!), true)));
  }
}

/** What a cell that is not empty is, spaces around it aside. */
function cellKind(bytes: Buffer, start: number, end: number): number {
  let [from, to] = [start, end];
  while (from < to && bytes[from] === space) from++;
  while (from < to && bytes[to - 1] === space) to--;
  if (from === to) return emptyKind;
  const form = numberForm(bytes, from, to);
  if (form === wholeNumberText) {
    if (isCode(bytes, from, to)) return textKind;
    return fitsInt64(bytes, from, to) ? wholeKind : hugeKind;
  }
  if (form !== 0) return fractionKind;
  const isWord = to - from <= 5 && /^(true|false)$/i.test(bytes.toString('latin1', from, to));
  return isWord ? boolKind : textKind;
}

/** Whether digits are a code, such as a postal or telephone one, that a number would not give back: `01234`, `+49123`. */
function isCode(bytes: Buffer, from: number, to: number): boolean {
  const digits = bytes[from] === 0x2d ? from + 1 : from;
  return bytes[from] === plus || (bytes[digits] === zero && to - digits > 1);
}
