import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';

/** Where a table's files are, by its id. */
export interface TableRecord {
  readonly id: string;
  readonly project: string;
  /** The root that was chosen for it; null: below the warehouse. */
  readonly rootUri: string | null;
}

/** Keeps `record`. */
export async function putTableRecord(store: ObjectStore, record: TableRecord): Promise<void> {
  await store.put(tablePath(record.id), new TextEncoder().encode(JSON.stringify(record)));
}

/** The record of table `id`. @throws SpiralError `unknown_table`. */
export async function readTableRecord(store: ObjectStore, id: string): Promise<TableRecord> {
  try {
    return JSON.parse(Buffer.from(await store.get(tablePath(id))).toString('utf8')) as TableRecord;
  } catch (error) {
    if (!isSpiralError(error, 'not_found', 'path_outside_root', 'invalid_argument')) throw error;
    throw new SpiralError('unknown_table', `The warehouse ${store.uri} has no table with the id ${shown(id)}.`, {
      details: { table: id },
      cause: error,
    });
  }
}

const tablePath = (id: string): string => `tables/${id}/table`;
