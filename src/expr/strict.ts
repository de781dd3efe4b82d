import type { DataType } from 'apache-arrow';
import { nullColumn } from '../arrow/nulls.js';
import type { Kernel } from './bound.js';
import { columnValues, commonBits, dataOf, isNullAt, nullBits, type Values } from './values.js';

/** Which rows of a result are valid; undefined where all are. */
export type ValidBits = Uint8Array | undefined;

/** Computes the rows that `valid` has; what it leaves in the others does not count. */
export type StrictKernel = (args: readonly Values[], rows: number, valid: ValidBits, where: () => string) => Values;

/**
 * The kernel of a function that is null wherever an argument is null. `body` never sees a constant null, and gives values
 * that bear `valid`.
 */
export function strict(type: DataType, body: StrictKernel): Kernel {
  return (args, rows, where) => {
    if (args.some((values) => values.constant && isNullConstant(values))) {
      const isConstant = args.every((values) => values.constant);
      return columnValues(nullColumn(type, isConstant ? 1 : rows), isConstant);
    }
    return body(args, rows, commonBits(args, rows), where);
  };
}

/** Whether a constant is null. */
export function isNullConstant(values: Values): boolean {
  return values.truth !== undefined ? values.truth[0] === nullBits : isNullAt(dataOf(values), 0);
}

/** Whether all of `args` are constants, and so is what comes of them. */
export function allConstant(args: readonly Values[]): boolean {
  return args.every((values) => values.constant);
}
