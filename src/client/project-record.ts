import { listed, nearest } from '../core/check.js';
import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';
import { storedJson, storedObject, storedText } from '../table/stored-value.js';

/** What names are made of. */
export const namePattern: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$/;

/** A project as the warehouse keeps it. */
export interface ProjectRecord {
  readonly id: string;
  readonly name: string | null;
  /** Tells who made it, so that a maker whose answer was lost knows its own project again. */
  readonly maker: string;
}

/**
 * Makes a project: its id is `idPrefix` where that is free, else `idPrefix` and some letters; `project` without one.
 *
 * @throws SpiralError `invalid_identifier` for a prefix of other than letters, digits, '_' and '-'.
 */
export async function createProjectRecord(
  store: ObjectStore,
  idPrefix: string | undefined,
  name: string | null,
): Promise<ProjectRecord> {
  const prefix = idPrefix ?? 'project';
  checkProjectId(prefix);
  const maker = uniqueId('');
  for (const id of [prefix, uniqueId(`${prefix}_`), uniqueId(`${prefix}_`)]) {
    const record: ProjectRecord = { id, name, maker };
    if (await claimed(store, record)) return record;
  }
  throw new SpiralError('unavailable', `Expected to make a project '${prefix}', but every id was taken. Try again.`, {
    details: { prefix },
  });
}

async function claimed(store: ObjectStore, record: ProjectRecord): Promise<boolean> {
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  try {
    if (await store.putIfAbsent(projectPath(record.id), bytes)) return true;
  } catch (error) {
    const there = await readProject(store, record.id).catch(() => undefined);
    if (there?.maker !== record.maker) throw error;
  }
  return (await readProject(store, record.id)).maker === record.maker;
}

/** The project `id`. @throws SpiralError `unknown_project`, `corrupt_log`. */
export async function readProject(store: ObjectStore, id: string): Promise<ProjectRecord> {
  try {
    const what = `${store.uri}/${projectPath(id)}`;
    const text = Buffer.from(await store.get(projectPath(id))).toString('utf8');
    const record = storedObject(storedJson(text, what), what);
    const { name } = record;
    return {
      id,
      name: name === null ? null : storedText(name, `the name in ${what}`),
      maker: storedText(record['maker'], `the maker in ${what}`),
    };
  } catch (error) {
    if (!isSpiralError(error, 'not_found')) throw error;
    const ids = await listProjectIds(store);
    const near = nearest(id, ids);
    const hint = near.length > 0 ? `Did you mean ${listed(near)}?` : 'Make it with createProject.';
    throw new SpiralError('unknown_project', `The warehouse ${store.uri} has no project '${id}'. ${hint}`, {
      details: { project: id, near },
    });
  }
}

/** The ids of all projects, sorted. */
export async function listProjectIds(store: ObjectStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { path } of store.list('projects/')) {
    const [, id, file] = path.split('/');
    if (file === 'project') ids.push(id!);
  }
  return ids.sort();
}

/** @throws SpiralError `invalid_identifier` unless `id` can name a project. */
export function checkProjectId(id: string): void {
  if (typeof id === 'string' && namePattern.test(id)) return;
  throw new SpiralError(
    'invalid_identifier',
    `Expected a project id of letters, digits, '_' and '-', got ${shown(id)}.`,
    { details: { id } },
  );
}

const projectPath = (id: string): string => `projects/${id}/project`;
