import { listed, nearest } from '../core/check.js';
import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import type { ObjectStore } from '../storage/store.js';

/** What names are made of. */
export const namePattern: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$/;

/** A project as the warehouse keeps it. */
export interface ProjectRecord {
  readonly id: string;
  readonly name: string | null;
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
  for (let id = prefix; ; id = uniqueId(`${prefix}_`)) {
    const record: ProjectRecord = { id, name };
    if (await store.putIfAbsent(projectPath(id), new TextEncoder().encode(JSON.stringify(record)))) return record;
  }
}

/** The project `id`. @throws SpiralError `unknown_project`. */
export async function readProject(store: ObjectStore, id: string): Promise<ProjectRecord> {
  try {
    return JSON.parse(Buffer.from(await store.get(projectPath(id))).toString('utf8')) as ProjectRecord;
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
  return ids;
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
