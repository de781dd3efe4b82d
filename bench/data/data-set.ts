import { fileURLToPath } from 'node:url';
import { type Scan, Spiral, type Table } from 'spiral-loader';
import type { Scale } from '../benchmark.js';

/** Where data sets are while a run lasts. */
export const dataFolder: string = fileURLToPath(new URL('../.data/', import.meta.url));

/** Rows that several sides read, made anew for each run. */
export interface DataSet {
  readonly name: string;
  make(scale: Scale): Promise<void>;
}

/** A client of the warehouse that data set `name` is in, set as `config` says. */
export function warehouse(name: string, config: Partial<Spiral['config']> = {}): Spiral {
  return new Spiral({ config: { ...config, 'warehouse.uri': `${dataFolder}${name}` } });
}

/** Makes the one table of data set `name`. */
export async function makeTable(name: string, data: Parameters<Table['write']>[0]): Promise<void> {
  await using spiral = warehouse(name);
  const project = await spiral.createProject('bench');
  const table = await project.createTable(name, { keySchema: { id: 'int64' } });
  await table.write(data);
}

/** A scan of data set `name`, all its columns or those named. */
export async function scanOf(spiral: Spiral, name: string, columns?: readonly string[]): Promise<Scan> {
  const table = await spiral.project('bench').table(name);
  return spiral.scan(
    columns === undefined ? table : Object.fromEntries(columns.map((path) => [path, table.col(path)])),
  );
}
