import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from '../table/log.js';
import { storedObject, storedText, storedWhole, untrusted } from '../table/stored-value.js';
import { namePattern, readProject } from './project-record.js';

/** A table as the catalog of its project names it. */
export interface CatalogTable {
  readonly tableId: string;
  readonly dataset: string;
  readonly table: string;
}

/** A change of a catalog. Later entries win; ids stay whatever a table is called. */
interface CatalogEntry extends CatalogTable {
  readonly kind: 'create' | 'rename';
  readonly time: number;
  /** Names a renaming, so that one whose answer was lost knows its own entry again. */
  readonly change?: string | undefined;
}

/** The dataset of an identifier that names none. */
const defaultDataset = 'default';

/**
 * The tables of one project, by name: an append-only log, so that of two who make one name at once one wins.
 */
export class Catalog {
  readonly projectId: string;
  readonly #log: Log<CatalogEntry>;
  readonly #store: ObjectStore;

  constructor(store: ObjectStore, projectId: string) {
    this.projectId = projectId;
    this.#store = store;
    this.#log = new Log(store, `projects/${projectId}/catalog`, parseEntry);
  }

  /** Every table, in the order in which they were made. @throws SpiralError `unknown_project`. */
  async tables(): Promise<CatalogTable[]> {
    const entries = await this.#log.entries();
    if (entries.length === 0) await readProject(this.#store, this.projectId);
    return newest(entries);
  }

  /**
   * The table called `identifier`.
   *
   * @throws SpiralError `unknown_table`, with the nearest names.
   */
  async table(identifier: string): Promise<CatalogTable> {
    return this.#named(await this.tables(), identifier);
  }

  #named(tables: readonly CatalogTable[], identifier: string): CatalogTable {
    const wanted = parseIdentifier(identifier);
    const found = named(tables, wanted);
    if (found !== undefined) return found;
    const names = tables.map(identifierOf);
    const near = nearest(identifierOf(wanted), names);
    const hint =
      near.length > 0
        ? `Did you mean ${listed(near)}?`
        : names.length === 0
          ? 'It has no table yet: make one with createTable.'
          : `Its tables are ${listed(names.slice(0, 20), 'and')}.`;
    throw new SpiralError(
      'unknown_table',
      `Project '${this.projectId}' has no table '${identifierOf(wanted)}'. ${hint}`,
      { details: { project: this.projectId, table: identifierOf(wanted), near } },
    );
  }

  /** The table called `identifier`, or undefined. */
  async find(identifier: string): Promise<CatalogTable | undefined> {
    return named(await this.tables(), parseIdentifier(identifier));
  }

  /**
   * Adds `table` unless its name is taken; gives the table that has the name.
   *
   * @throws SpiralError as `Log.commit`.
   */
  async add(table: CatalogTable): Promise<CatalogTable> {
    let taken: CatalogTable | undefined;
    await this.#log.commit(
      (entry) => entry.kind === 'create' && entry.tableId === table.tableId,
      (entries) => {
        taken = named(newest(entries), table);
        return taken === undefined ? { ...table, kind: 'create', time: wallMicros() } : undefined;
      },
    );
    return taken ?? table;
  }

  /**
   * Gives the table called `identifier` another dataset or name. Nothing happens where it has that already.
   *
   * @throws SpiralError `unknown_table`; `already_exists` where another table has the name; as `Log.commit`.
   */
  async rename(identifier: string, to: { readonly dataset: string } | { readonly table: string }): Promise<void> {
    await this.table(identifier);
    const change = uniqueId('');
    await this.#log.commit(
      (entry) => entry.change === change,
      (entries) => {
        const tables = newest(entries);
        const { tableId, dataset, table } = this.#named(tables, identifier);
        const renamed = { tableId, dataset, table, ...to };
        const taken = named(tables, renamed);
        if (taken?.tableId === tableId) return undefined;
        if (taken === undefined) return { ...renamed, kind: 'rename', time: wallMicros(), change };
        throw new SpiralError(
          'already_exists',
          `Expected the name '${identifierOf(renamed)}' of project '${this.projectId}' to be free for ` +
            `'${identifierOf({ dataset, table })}', but another table has it. Take another name, or rename that one first.`,
          { details: { project: this.projectId, table: identifierOf(renamed), tableId: taken.tableId } },
        );
      },
    );
  }
}

/** What the entries of a log say last of each table. */
function newest(entries: readonly CatalogEntry[]): CatalogTable[] {
  return [...new Map(entries.map((entry) => [entry.tableId, entry])).values()];
}

function parseEntry(raw: unknown): CatalogEntry {
  const entry = storedObject(raw, 'the entry');
  const { kind } = entry;
  if (kind !== 'create' && kind !== 'rename') throw untrusted("an entry's kind", 'create or rename', kind);
  const name = (key: string): string => {
    const text = storedText(entry[key], `its ${key}`);
    if (!namePattern.test(text)) throw untrusted(`its ${key}`, 'a name', text);
    return text;
  };
  const time = storedWhole(entry['time'], 'its time');
  const change = entry['change'] === undefined ? undefined : storedText(entry['change'], 'its change');
  return { kind, tableId: name('tableId'), dataset: name('dataset'), table: name('table'), time, change };
}

/** `dataset.table`, or `table` in the dataset `default`. @throws SpiralError `invalid_identifier`. */
export function parseIdentifier(identifier: string): { dataset: string; table: string } {
  const parts = typeof identifier === 'string' ? identifier.split('.') : [];
  if (parts.length < 1 || parts.length > 2 || !parts.every((part) => namePattern.test(part))) {
    throw new SpiralError(
      'invalid_identifier',
      `Expected a table as 'dataset.table' or 'table', of letters, digits, '_' and '-', got ${shown(identifier)}.`,
      { details: { identifier } },
    );
  }
  return parts.length === 2 ? { dataset: parts[0]!, table: parts[1]! } : { dataset: defaultDataset, table: parts[0]! };
}

/** The new name of a table or its dataset. @throws SpiralError `invalid_identifier`. */
export function tableName(name: string, what: 'dataset' | 'table'): string {
  if (typeof name === 'string' && namePattern.test(name)) return name;
  throw new SpiralError(
    'invalid_identifier',
    `Expected the name of a ${what}, of letters, digits, '_' and '-', got ${shown(name)}.`,
    { details: { name } },
  );
}

/** `dataset.table`. */
export function identifierOf({ dataset, table }: { dataset: string; table: string }): string {
  return `${dataset}.${table}`;
}

function named(tables: readonly CatalogTable[], wanted: { dataset: string; table: string }): CatalogTable | undefined {
  return tables.find(({ dataset, table }) => dataset === wanted.dataset && table === wanted.table);
}
