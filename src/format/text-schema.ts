import { type Field, Schema } from 'apache-arrow';
import { toSchema } from '../arrow/schema.js';
import { isSpiralError, SpiralError } from '../core/errors.js';

/**
 * The schema of columns that a file names itself.
 *
 * @throws SpiralError `invalid_schema` for a name that no column may have, with what to do about it.
 */
export function namedSchema(fields: readonly Field[], where: string): Schema {
  try {
    return toSchema(new Schema([...fields]), where);
  } catch (error) {
    if (!isSpiralError(error, 'invalid_schema')) throw error;
    throw new SpiralError(
      error.code,
      `${error.message} Rename it there, or name the columns to read, this one left out, in a schema.`,
      { details: error.details, cause: error },
    );
  }
}
