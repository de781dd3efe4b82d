import { DataType } from 'apache-arrow';
import type { CellColumn } from './cells.js';
import { parseDay, parseTimeOfDay, parseTimestamp } from './iso-time.js';
import { FixedCells } from './number-cells.js';
import { noNumber, numberForm, wholeNumberText } from './text-number.js';

/** How the values of a type of times are written. */
interface TimeForm {
  readonly expected: string;
  /** The value of text, in the type's unit; undefined for what is none. */
  readonly text?: (text: string) => bigint | undefined;
  /** Whether a whole number in the type's unit is taken as well. */
  readonly counts: boolean;
  /** The first value beyond those there are. */
  readonly end?: bigint;
}

/** Characters of a count: any that 64 bits hold have fewer. */
const countCharactersMax = 32;
/** Nanoseconds of the units, in Arrow's order. */
const unitNanos: readonly bigint[] = [1_000_000_000n, 1_000_000n, 1_000n, 1n];
const dayNanos = 86_400_000_000_000n;

/**
 * Times: timestamps as ISO text or whole numbers in their unit, dates as ISO text alone (20240229 is no count of days), times
 * of day as `23:59:59` or whole numbers, durations as whole numbers. What is finer than the unit is refused.
 */
export class TimeCells extends FixedCells {
  protected readonly expected: string;
  readonly #form: TimeForm;

  constructor(column: CellColumn) {
    super(column);
    this.#form = formOf(column.type);
    this.expected = this.#form.expected;
  }

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    const isWhole =
      this.#form.counts && to - from <= countCharactersMax && numberForm(bytes, from, to) === wholeNumberText;
    this.#put(isWhole ? BigInt(bytes.toString('latin1', from, to).replace('+', '')) : undefined, bytes, from, to);
  }

  override appendText(bytes: Buffer, from: number, to: number): void {
    this.#put(this.#form.text?.(bytes.toString('latin1', from, Math.min(to, from + 64))), bytes, from, to);
  }

  override appendCell(bytes: Buffer, from: number, to: number): void {
    if (this.#form.counts && numberForm(bytes, from, to) !== noNumber) this.appendNumber(bytes, from, to);
    else this.appendText(bytes, from, to);
  }

  #put(value: bigint | undefined, bytes: Buffer, from: number, to: number): void {
    const at = this.room();
    const { end } = this.#form;
    if (value === undefined || (end !== undefined && (value < 0n || value >= end))) {
      throw this.refused(this.expected, bytes, from, to);
    }
    const isWide = this.values instanceof BigInt64Array;
    const stored = isWide ? value : Number(value);
    (this.values as BigInt64Array)[at] = stored as bigint;
    if (this.values[at] !== stored) throw this.refused(this.expected, bytes, from, to);
    this.length++;
  }
}

function formOf(type: DataType): TimeForm {
  const nanos = unitNanos[(type as DataType & { unit: number }).unit] ?? 1n;
  if (DataType.isDate(type)) {
    const text = type.unit === 0 ? dayCount : inUnit(parseTimestamp, 1_000_000n);
    return { expected: "a day such as '2024-02-29'", text, counts: false };
  }
  if (DataType.isTimestamp(type)) {
    const expected = "a time such as '2024-02-29T23:59:59Z', no finer than its unit, or a whole number in its unit";
    return { expected, text: inUnit(parseTimestamp, nanos), counts: true };
  }
  if (DataType.isTime(type)) {
    const expected = "a time of day such as '23:59:59', no finer than its unit, or a whole number in its unit";
    return { expected, text: inUnit(parseTimeOfDay, nanos), counts: true, end: dayNanos / nanos };
  }
  return { expected: 'a whole number in its unit', counts: true };
}

function dayCount(text: string): bigint | undefined {
  const day = parseDay(text);
  return day === undefined ? undefined : BigInt(day);
}

function inUnit(parse: (text: string) => bigint | undefined, nanos: bigint): (text: string) => bigint | undefined {
  return (text) => {
    const found = parse(text);
    return found === undefined || found % nanos !== 0n ? undefined : found / nanos;
  };
}
