import { listed, nearest } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { wallMicros } from '../core/runtime.js';
import type { TableStore } from './table-store.js';
import type { Tag } from './upkeep-change.js';
import { isKept } from './upkeep-log.js';
import type { TableVersion } from './version.js';

/**
 * Names `version` of `table`, which keeps it from vacuum. Nothing happens where the tag names it already.
 *
 * @throws SpiralError `already_exists` where the tag names another version; `version_vacuumed` where vacuum was first.
 */
export async function tagVersion(table: TableStore, name: string, version: TableVersion): Promise<Tag> {
  const { time, version: number } = version;
  const tag: Tag = { name, version: number, time, made: wallMicros(), author: table.author };
  let there: Tag | undefined;
  await table.upkeep.commit((upkeep) => {
    const taken = upkeep.tags.get(name);
    there = taken;
    if (taken?.version === number) return undefined;
    if (taken !== undefined) {
      throw new SpiralError(
        'already_exists',
        `Expected the tag '${name}' of ${table.name} to be free for version ${number}, but it names version ` +
          `${taken.version}. Take another name, or \`untag\` it first.`,
        { details: { table: table.name, tag: name, version: taken.version } },
      );
    }
    if (isKept(upkeep, number)) return { kind: 'tag', ...tag };
    throw new SpiralError(
      'version_vacuumed',
      `Version ${number} of ${table.name} was removed by vacuum, which kept versions from ${upkeep.floor} on, before it ` +
        'could be tagged.',
      { details: { table: table.name, tag: name, version: number, floor: upkeep.floor } },
    );
  });
  return there ?? tag;
}

/** Takes the tag `name` away. @throws SpiralError `version_not_found` where there is none. */
export async function untag(table: TableStore, name: string): Promise<void> {
  await table.upkeep.commit(({ tags }) => {
    if (tags.has(name)) return { kind: 'untag', name, made: wallMicros(), author: table.author };
    const near = nearest(name, tags.keys());
    const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : '';
    throw new SpiralError('version_not_found', `${table.name} has no tag '${name}'.${hint}`, {
      details: { table: table.name, tag: name, near },
    });
  });
}

/** Every tag, by version. */
export async function listTags(table: TableStore): Promise<Tag[]> {
  const { tags } = await table.upkeep.now();
  return [...tags.values()].sort((a, b) => a.version - b.version || a.made - b.made);
}
