import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { storedJson, storedObject, storedText } from '../table/stored-value.js';
import { namePattern } from './project-record.js';

/** Where a table's files are, by its id. */
export interface TableRecord {
  readonly id: string;
  readonly project: string;
  /** The URI that was chosen for it, in which it has a folder named by its id; null: below the warehouse. */
  readonly rootUri: string | null;
}

/** Keeps `record`. */
export async function putTableRecord(store: ObjectStore, record: TableRecord): Promise<void> {
  await store.put(tablePath(record.id), new TextEncoder().encode(JSON.stringify(record)));
}

/** The record of table `id`. @throws SpiralError `unknown_table`, `corrupt_log`. */
export async function readTableRecord(store: ObjectStore, id: string): Promise<TableRecord> {
  if (typeof id !== 'string' || !namePattern.test(id)) throw unknownTable(store, id);
  try {
    const what = `${store.uri}/${tablePath(id)}`;
    const text = Buffer.from(await store.get(tablePath(id))).toString('utf8');
    const record = storedObject(storedJson(text, what), what);
    const { rootUri } = record;
    return {
      id,
      project: storedText(record['project'], `the project in ${what}`),
      rootUri: rootUri === null ? null : storedText(rootUri, `the root in ${what}`),
    };
  } catch (error) {
    if (isSpiralError(error, 'not_found')) throw unknownTable(store, id, error);
    throw error;
  }
}

function unknownTable(store: ObjectStore, id: string, cause?: unknown): SpiralError {
  return new SpiralError(
    'unknown_table',
    `The warehouse ${store.uri} has no table with the id ${shown(id)}. Open a table by its name with \`project.table()\`.`,
    { details: { table: id }, cause },
  );
}

const tablePath = (id: string): string => `tables/${id}/table`;
