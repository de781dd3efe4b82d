import type { SchemaLike } from '../../src/arrow/schema.js';
import type { ClientSettings } from '../../src/client/setting-keys.js';
import { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import { uniqueId } from '../../src/core/random.js';

/** A client of the warehouse at `uri`; of a new one in memory where that is left out. */
export function spiralAt(uri = `memory://${uniqueId('test-')}`, config: Partial<ClientSettings> = {}): Spiral {
  return new Spiral({ config: { 'warehouse.uri': uri, ...config } });
}

/** A table `default.t` of a new project `p`. */
export async function newTable(spiral: Spiral, keySchema: SchemaLike = { id: 'int64' }): Promise<Table> {
  return (await spiral.createProject('p')).createTable('t', { keySchema });
}

/** The SpiralError that `work` ends with; anything else is a failure. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<SpiralError> {
  let found: unknown;
  try {
    await (typeof work === 'function' ? work() : work);
    found = new Error('Expected a refusal.');
  } catch (error) {
    found = error;
  }
  if (isSpiralError(found)) return found;
  throw found;
}
