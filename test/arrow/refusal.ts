import { isSpiralError, type SpiralError } from '../../src/core/errors.js';

/** The SpiralError that `work` throws; anything else it does is a failure. */
export function errorOf(work: () => unknown): SpiralError {
  try {
    work();
  } catch (error) {
    if (isSpiralError(error)) return error;
    throw error;
  }
  throw new Error('Expected an error, got none.');
}
