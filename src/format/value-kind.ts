import { Bool, type DataType, Float64, Int64, Utf8 } from 'apache-arrow';

/** Kinds of plain values that a column of text shows, as bits: what all its rows need is their union. */
export const boolKind = 1;
export const wholeKind = 2;
/** A whole number that 64 bits do not hold. */
export const hugeKind = 4;
export const fractionKind = 8;
export const textKind = 16;
export const listKind = 32;
export const structKind = 64;
/** An empty text in quotes, which any column can do without. */
export const emptyKind = 128;

export const numberKinds: number = wholeKind | hugeKind | fractionKind;

/**
 * The type of a column of plain values of `kinds`: bool, int64, float64 where any number has a fraction, an exponent or more
 * digits than 64 bits hold, else utf8, which takes anything and so stands for columns of nothing but nulls too.
 */
export function plainType(kinds: number): DataType {
  const seen = kinds & ~emptyKind;
  if (seen === boolKind) return new Bool();
  if (seen === wholeKind) return new Int64();
  return seen !== 0 && (seen & ~numberKinds) === 0 ? new Float64() : new Utf8();
}

const words: ReadonlyMap<number, string> = new Map([
  [boolKind, 'true or false'],
  [wholeKind, 'a number'],
  [hugeKind, 'a number'],
  [fractionKind, 'a number'],
  [textKind, 'text'],
  [listKind, 'a list'],
  [structKind, 'an object'],
]);

/** One kind in words. */
export function kindWords(kind: number): string {
  return words.get(kind) ?? 'nothing';
}
