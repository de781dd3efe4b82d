import type { DataType } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import type { ValidBits } from './strict.js';

/** The error of a whole number that is beyond its type. */
export function overflow(row: number, type: DataType, where: () => string): SpiralError {
  const words = typeWords(type);
  const text = where();
  return new SpiralError(
    'value_out_of_range',
    `Expected a result that ${words} holds, got an overflow at row ${row} of a batch in the expression ${text}. ` +
      'Cast an argument to a wider type first, such as int64 or float64.',
    { details: { expression: text, row, type: words } },
  );
}

/** Whether the row counts: the values beneath nulls do not. */
export function isSound(valid: ValidBits, row: number): boolean {
  return valid === undefined || bitAt(valid, row);
}

/** The least and the largest value of an integer type of at most 32 bits. */
export function intBounds(type: DataType): readonly [min: number, max: number] {
  const { bitWidth, isSigned } = type as DataType & { bitWidth: number; isSigned: boolean };
  return isSigned ? [-(2 ** (bitWidth - 1)), 2 ** (bitWidth - 1) - 1] : [0, 2 ** bitWidth - 1];
}
