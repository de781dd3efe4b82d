import { pathText } from './column.js';
import type { Commit, FragmentRef, Operation } from './operation.js';
import type { TableStore } from './table-store.js';

/** One change of a commit, as people read it. */
export interface CommitOperation {
  readonly kind: Operation['kind'];
  /** Columns written or dropped, or of the key, by dotted path; of a compaction none. */
  readonly columns: readonly string[];
  /** Rows and bytes of the files that came with it. */
  readonly rows: number;
  readonly bytes: number;
  /** Fragments that came, and those whose place they took. */
  readonly fragments: number;
  readonly replaced: number;
}

/** Who changed what in a table, and when. */
export interface CommitSummary {
  readonly version: number;
  /** Microseconds since the epoch: `asof` for the table as this commit left it. */
  readonly time: number;
  /** Whose commit it is, as their client was set to say (`commit.author`); null where it said nothing. */
  readonly author: string | null;
  readonly operations: readonly CommitOperation[];
  /** The tags that name the version. */
  readonly tags: readonly string[];
}

/**
 * The commits of `table` whose entries are there, oldest first: those that vacuum has deleted are not.
 *
 * @param last only so many of the newest.
 */
export async function tableHistory(table: TableStore, last: number): Promise<CommitSummary[]> {
  const { version } = await table.latest();
  const { floor, tags } = await table.upkeep.now();
  const from = Math.max(1, floor, version - last + 1);
  const commits = from > version ? [] : await table.log.read(from, version);
  const names = new Map<number, string[]>();
  for (const tag of tags.values()) names.set(tag.version, [...(names.get(tag.version) ?? []), tag.name]);
  return commits.map((commit, at) => summary(commit, from + at, names.get(from + at) ?? []));
}

function summary({ time, author, operations }: Commit, version: number, tags: readonly string[]): CommitSummary {
  return { version, time, author: author ?? null, operations: operations.map(operationSummary), tags };
}

function operationSummary(operation: Operation): CommitOperation {
  const none = { rows: 0, bytes: 0, fragments: 0, replaced: 0 };
  switch (operation.kind) {
    case 'create':
      return { kind: 'create', columns: operation.keys.map(({ path }) => pathText(path)), ...none };
    case 'drop':
      return { kind: 'drop', columns: operation.columns.map(({ path }) => pathText(path)), ...none };
    case 'compact': {
      const fragments = operation.rewrites.flatMap((rewrite) => rewrite.fragments);
      const replaced = operation.rewrites.reduce((sum, rewrite) => sum + rewrite.replaced.length, 0);
      return { kind: 'compact', columns: [], ...sizes(fragments), replaced };
    }
    default: {
      const columns = operation.columns.map(({ path }) => pathText(path));
      return { kind: operation.kind, columns, ...sizes(operation.fragments), replaced: 0 };
    }
  }
}

function sizes(fragments: readonly FragmentRef[]): { rows: number; bytes: number; fragments: number } {
  let [rows, bytes] = [0, 0];
  for (const fragment of fragments) {
    rows += fragment.rows;
    for (const file of fragment.files) bytes += file.bytes;
  }
  return { rows, bytes, fragments: fragments.length };
}
