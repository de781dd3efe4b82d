import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './source-text.js';

const files = repositoryFiles();
const paths = new Set(files.map(({ path }) => path));
const documents = files.filter(({ path }) => /^(docs\/.*|[^/]+)\.md$/.test(path));

/** Paths that a document links to or names in code, from the root of the repository. */
function namedPaths(path: string, text: string): string[] {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, link]) =>
    new URL(folder + link, 'file:///').pathname.slice(1),
  );
  const code = [...text.matchAll(/`((?:src|test|docs|bench|examples|scripts)\/[\w./-]+\.\w+)`/g)].map(
    ([, name]) => name!,
  );
  return [...links, ...code];
}

describe('each document', () => {
  it.each(documents)('$path names only files that exist', ({ path, text }) => {
    expect(namedPaths(path, text).filter((name) => !paths.has(name))).toEqual([]);
  });

  it('is read for links and for names in code', () => {
    expect(
      namedPaths('docs/a.md', 'See [b](b.md#c), [d](../e.md), [f](https://example.org) and `src/index.ts`.'),
    ).toEqual(['docs/b.md', 'e.md', 'src/index.ts']);
  });
});
