import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inByteOrder, type ListedPath } from '../../src/storage/byte-order.js';
import { comparePaths } from '../../src/storage/object-path.js';
import { lawRuns } from '../laws.js';

async function* listed(items: readonly ListedPath[]): AsyncGenerator<ListedPath> {
  yield* items;
}

async function ordered(items: readonly ListedPath[]): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of inByteOrder(listed(items), 'the store')) paths.push(path);
  return paths;
}

const objects = (paths: readonly string[]): ListedPath[] => paths.map((path) => ({ path, isFolder: false }));

/** As accounts with a hierarchy list: folder by folder, each with a mark before what is in it. */
function byFolders(paths: readonly string[]): ListedPath[] {
  const marks = new Set(paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index))));
  const found = [...objects(paths), ...[...marks].map((path) => ({ path, isFolder: true }))];
  const key = ({ path }: ListedPath): string => path.replaceAll('/', '\0');
  return found.sort((a, b) => comparePaths(key(a), key(b)));
}

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '!', '0', '\u{e000}', '\uffee', '😀'),
  minLength: 1,
  maxLength: 3,
});
/** Paths of which none is a folder of another. */
const paths = fc
  .uniqueArray(
    fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    { maxLength: 20 },
  )
  .map((all) => all.filter((path) => !all.some((other) => other.startsWith(`${path}/`))));

describe('a list in another order', () => {
  it('comes in the order of bytes, each object once: of bytes, of UTF-16, by folders', async () => {
    await fc.assert(
      fc.asyncProperty(paths, async (all) => {
        const expected = all.toSorted(comparePaths);
        for (const items of [objects(expected), objects(all.toSorted()), byFolders(all)]) {
          expect(await ordered(items)).toEqual(expected);
        }
      }),
      { numRuns: lawRuns(300, 20_000) },
    );
  });

  it('comes at once as long as nothing can be out of order', async () => {
    let asked = 0;
    const items = async function* (): AsyncGenerator<ListedPath> {
      for (; ; asked++) yield { path: `a${asked}`, isFolder: false };
    };
    const list = inByteOrder(items(), 'the store');
    expect((await list.next()).value).toEqual({ path: 'a0', isFolder: false });
    expect(asked).toBeLessThan(3);
    await list.return(undefined);
  });
});
