import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import { Log } from '../table/log.js';
import { storedObject, storedText, storedWhole, untrusted } from '../table/stored-value.js';
import { namePattern, readProject } from './project-record.js';

/** An index as the catalog of its project names it. */
export interface CatalogIndex {
  readonly indexId: string;
  readonly name: string;
}

interface IndexEntry extends CatalogIndex {
  readonly kind: 'create';
  readonly time: number;
}

/** The indexes of one project, by name: an append-only log, so that of two who make one name at once one wins. */
export class IndexCatalog {
  readonly #project: string;
  readonly #store: ObjectStore;
  readonly #log: Log<IndexEntry>;

  constructor(store: ObjectStore, project: string) {
    this.#store = store;
    this.#project = project;
    this.#log = new Log(store, `projects/${project}/indexes`, parseEntry);
  }

  /** Every index, in the order in which they were made. @throws SpiralError `unknown_project`. */
  async indexes(): Promise<readonly CatalogIndex[]> {
    const entries = await this.#log.entries();
    if (entries.length === 0) await readProject(this.#store, this.#project);
    return entries;
  }

  /** The index called `name`. @throws SpiralError `unknown_index`, with the nearest names. */
  async index(name: string): Promise<CatalogIndex> {
    checkIndexName(name);
    const indexes = await this.indexes();
    const found = indexes.find((index) => index.name === name);
    if (found !== undefined) return found;
    const names = indexes.map((index) => index.name);
    const near = nearest(name, names);
    const hint =
      near.length > 0
        ? `Did you mean ${listed(near)}?`
        : names.length === 0
          ? 'It has no index yet: make one with createKeySpaceIndex.'
          : `Its indexes are ${listed(names.slice(0, 20), 'and')}.`;
    throw new SpiralError('unknown_index', `Project '${this.#project}' has no index '${name}'. ${hint}`, {
      details: { project: this.#project, index: name, near },
    });
  }

  /** The index called `name`, or undefined. @throws SpiralError `invalid_identifier`. */
  async find(name: string): Promise<CatalogIndex | undefined> {
    checkIndexName(name);
    return (await this.indexes()).find((index) => index.name === name);
  }

  /** Adds `index` unless its name is taken; gives the index that has the name. @throws SpiralError as `Log.commit`. */
  async add(index: CatalogIndex): Promise<CatalogIndex> {
    let taken: CatalogIndex | undefined;
    await this.#log.commit(
      (entry) => entry.indexId === index.indexId,
      (entries) => {
        taken = entries.find(({ name }) => name === index.name);
        return taken === undefined ? { ...index, kind: 'create', time: wallMicros() } : undefined;
      },
    );
    return taken ?? index;
  }
}

function parseEntry(raw: unknown): IndexEntry {
  const entry = storedObject(raw, 'the entry');
  if (entry['kind'] !== 'create') throw untrusted("an entry's kind", 'create', entry['kind']);
  const name = (key: string): string => {
    const text = storedText(entry[key], `its ${key}`);
    if (!namePattern.test(text)) throw untrusted(`its ${key}`, 'a name', text);
    return text;
  };
  return { kind: 'create', indexId: name('indexId'), name: name('name'), time: storedWhole(entry['time'], 'its time') };
}

function checkIndexName(name: string): void {
  if (typeof name === 'string' && namePattern.test(name)) return;
  throw new SpiralError(
    'invalid_identifier',
    `Expected the name of an index, of letters, digits, '_' and '-', got ${shown(name)}.`,
    { details: { name } },
  );
}
