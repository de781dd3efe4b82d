import { describe, expect, it } from 'vitest';
import { importedPath, importsOf } from './source-imports.js';
import { blanked, lineAt, repositoryFile, repositoryFiles, type SourceFile } from './source-text.js';

/** One row of the table of floors. A folder may import what `may` names, and what is allowed in a narrower way. */
interface Row {
  readonly floor: number;
  readonly folder: string;
  /** Names of folders, or the highest floor that may be imported. */
  readonly may: readonly string[] | number;
  /** Folders that may be imported as types. */
  readonly types?: readonly string[];
  /** Folders that may be imported by `await import()` alone. */
  readonly dynamic?: readonly string[];
  /** A folder that may be imported from files of this pattern alone. */
  readonly narrow?: { readonly folder: string; readonly from: RegExp; readonly words: string };
  /** No I/O and no await: integers and seeds. */
  readonly pure?: true;
  /** May import the public door. */
  readonly door?: true;
}

const floors: readonly Row[] = [
  { floor: 0, folder: 'core', may: [] },
  { floor: 1, folder: 'arrow', may: ['core'] },
  { floor: 1, folder: 'storage', may: ['core'] },
  { floor: 1, folder: 'sharding', may: ['core'], pure: true },
  { floor: 1, folder: 'workers', may: ['core'] },
  { floor: 2, folder: 'expr', may: ['core', 'arrow'] },
  { floor: 2, folder: 'format', may: ['core', 'arrow', 'storage'] },
  { floor: 3, folder: 'table', may: ['core', 'arrow', 'storage', 'expr', 'format'] },
  { floor: 4, folder: 'scan', may: 3 },
  { floor: 5, folder: 'indexes', may: 4 },
  {
    floor: 5,
    folder: 'loader',
    may: ['core', 'arrow', 'sharding', 'workers'],
    narrow: { folder: 'scan', from: /^src\/loader\/feeder[\w-]*\.ts$/, words: 'scan from feeder*.ts only' },
  },
  { floor: 5, folder: 'enrich', may: 4 },
  {
    floor: 6,
    folder: 'streaming',
    may: ['core', 'arrow', 'storage', 'sharding', 'workers', 'expr', 'format', 'table', 'scan', 'indexes', 'loader'],
  },
  { floor: 6, folder: 'adapters', may: ['core', 'arrow'], types: ['loader', 'scan'] },
  { floor: 7, folder: 'testing', may: 6 },
  { floor: 7, folder: 'client', may: 6, dynamic: ['adapters'] },
  { floor: 8, folder: 'cli', may: ['core'], door: true },
];

const rows = new Map(floors.map((row) => [row.folder, row]));
const folderOf = (path: string): string =>
  path.startsWith('src/') && path.split('/').length > 2 ? path.split('/')[1]! : '';
const allowed = (row: Row): string[] =>
  typeof row.may === 'number'
    ? floors
        .filter(({ floor, folder }) => floor <= (row.may as number) && !row.dynamic?.includes(folder))
        .map(({ folder }) => folder)
    : [...row.may];

/** What the row says, as the document's table puts it. */
function words(row: Row): string {
  const folders = allowed(row);
  const whole = floors.findLast(({ floor }) =>
    floors.every((other) => other.floor > floor || folders.includes(other.folder)),
  );
  const upTo = whole?.floor ?? 0;
  const parts = [
    ...(upTo > 0 ? [`floors 0–${upTo}`] : []),
    ...folders.filter((folder) => upTo === 0 || rows.get(folder)!.floor > upTo),
    ...(row.door ? ['src/index.ts'] : []),
  ];
  const narrower = [
    ...(row.types ? [`${row.types.join(' and ')} as types`] : []),
    ...(row.dynamic ? [`${row.dynamic.join(' and ')} by await import`] : []),
    ...(row.narrow ? [row.narrow.words] : []),
  ];
  return [parts.join(', ') || '–', ...narrower].join('; ');
}

/** Imports that the table forbids, each as `file:line imports X: rule`. */
function floorBreaches(files: readonly SourceFile[]): string[] {
  const breaches: string[] = [];
  for (const file of files) {
    if (file.path === 'src/index.ts') continue;
    const folder = folderOf(file.path);
    const row = rows.get(folder);
    if (row === undefined) {
      breaches.push(`${file.path}: src/${folder} has no row in the table of floors; add one, or move the file`);
      continue;
    }
    for (const { specifier, kind, line } of importsOf(file.text)) {
      const target = importedPath(file, specifier);
      const rule = target === undefined ? packageRule(row, specifier) : floorRule(row, file.path, target, kind);
      if (rule !== undefined) breaches.push(`${file.path}:${line} imports ${target ?? specifier}: ${rule}`);
    }
    if (row.pure) breaches.push(...impurities(file, folder));
  }
  return breaches;
}

function packageRule(row: Row, specifier: string): string | undefined {
  if (/^spiral-loader(\/|$)/.test(specifier)) return 'the package does not import itself by name; use a relative path';
  return row.pure ? `${row.folder} is pure: it imports neither packages nor node: modules` : undefined;
}

function floorRule(row: Row, path: string, target: string, kind: string): string | undefined {
  const folder = folderOf(target);
  const may = `${row.folder} may import ${words(row)}`;
  if (target === 'src/index.ts') return row.door ? undefined : `${may}; only the command imports the public door`;
  if (!target.startsWith('src/')) return `${may}; nothing outside src`;
  if (folder === row.folder || allowed(row).includes(folder)) return undefined;
  if (row.types?.includes(folder)) return kind === 'type' ? undefined : may;
  if (row.dynamic?.includes(folder)) return kind === 'dynamic' ? undefined : may;
  if (row.narrow?.folder === folder && row.narrow.from.test(path)) return undefined;
  return may;
}

function impurities(file: SourceFile, folder: string): string[] {
  const code = blanked(file.text);
  return [...code.matchAll(/(?<![\w$.])(await|async)(?![\w$])/g)].map(
    ({ index, 1: word }) => `${file.path}:${lineAt(code, index)} says ${word}: ${folder} is pure and synchronous`,
  );
}

/** Circles of run-time imports, each as `a → b → a`. */
function importCircles(files: readonly SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path));
  const edges = new Map<string, string[]>();
  for (const file of files) {
    const targets = importsOf(file.text)
      .filter(({ kind }) => kind !== 'type')
      .map(({ specifier }) => importedPath(file, specifier));
    edges.set(
      file.path,
      targets.filter((path): path is string => path !== undefined && known.has(path)),
    );
  }
  const circles: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    const start = above.indexOf(path);
    if (start !== -1) circles.push([...above.slice(start), path].join(' → '));
    if (start !== -1 || finished.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...above, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return circles;
}

/** Parts of `src/streaming`: each may import those before it. */
const streamingParts: readonly string[] = [
  'cache',
  'order',
  'samples',
  'writing',
  'mosaic',
  'native',
  'mds',
  'table',
  'dataset',
  'simulation',
];

/** Place of a file of `src/streaming` among its parts: -1 for one that lies in none, undefined for another folder's. */
function streamingPart(path: string): number | undefined {
  const [, folder, part, file] = path.split('/');
  if (folder !== 'streaming') return undefined;
  return file === undefined ? -1 : streamingParts.indexOf(part ?? '');
}

function streamingBreaches(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const part = streamingPart(file.path);
    if (part === undefined) return [];
    if (part === -1) return [`${file.path} lies in none of ${streamingParts.join(', ')}`];
    return importsOf(file.text).flatMap(({ specifier, line }) => {
      const target = importedPath(file, specifier) ?? '';
      const other = streamingPart(target) ?? -1;
      return other > part ? [`${file.path}:${line} imports ${target}: ${streamingParts[part]} comes before it`] : [];
    });
  });
}

const source = repositoryFiles().filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'));

describe('the source tree', () => {
  it('keeps to the floors', () => {
    expect(source.length).toBeGreaterThan(0);
    expect(floorBreaches(source)).toEqual([]);
  });

  it('has no import circle', () => {
    expect(importCircles(source)).toEqual([]);
  });

  it('keeps the parts of src/streaming in their order', () => {
    expect(streamingBreaches(source)).toEqual([]);
    const page = repositoryFile('docs/architecture.md').text;
    const sentence = /`src\/streaming` is in parts,([\s\S]*?)\n\* /.exec(page)?.[1] ?? '';
    expect([...sentence.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(streamingParts);
  });

  it('is described by the table of docs/architecture.md', () => {
    const cells = repositoryFile('docs/architecture.md')
      .text.split('\n')
      .map((line) =>
        line
          .replaceAll('`', '')
          .split('|')
          .map((cell) => cell.trim()),
      )
      .filter((line) => /^\d+$/.test(line[1] ?? ''));
    expect(cells.map((line) => [Number(line[1]), line[2], line[4]])).toEqual(
      floors.map((row) => [row.floor, `src/${row.folder}`, words(row)]),
    );
  });
});

describe('the table of floors', () => {
  it('lets no folder import its own floor or one above', () => {
    for (const row of floors) {
      const named = [
        ...allowed(row),
        ...(row.types ?? []),
        ...(row.dynamic ?? []),
        ...(row.narrow ? [row.narrow.folder] : []),
      ];
      for (const folder of named) expect(rows.get(folder)?.floor, `${row.folder} → ${folder}`).toBeLessThan(row.floor);
    }
  });
});

describe('the floor check', () => {
  const breaches = (path: string, text: string): string[] => floorBreaches([{ path, text }]);

  it.each([
    [
      'src/core/a.ts',
      `import { b } from '../arrow/b.js';`,
      'src/core/a.ts:1 imports src/arrow/b.ts: core may import –',
    ],
    ['src/arrow/a.ts', `import type { B } from '../storage/b.js';`, 'arrow may import core'],
    ['src/scan/a.ts', `export { b } from '../loader/b.js';`, 'scan may import floors 0–3'],
    ['src/scan/a.ts', `export type { B } from '../client/b.js';`, 'src/client/b.ts'],
    ['src/format/a.ts', `\n\nconst b = await import('../table/b.js');`, 'src/format/a.ts:3 imports src/table/b.ts'],
    ['src/expr/a.ts', `type B = import('../format/b.js').B;`, 'src/format/b.ts'],
    ['src/table/a.ts', `import '../scan/b.js';`, 'src/scan/b.ts'],
    ['src/table/deep/a.ts', `import {\n  b,\n  c,\n} from '../../workers/b.js';`, 'src/workers/b.ts'],
    ['src/loader/loader.ts', `import { openScan } from '../scan/open.js';`, 'scan from feeder*.ts only'],
    ['src/adapters/tfjs/index.ts', `import { Loader } from '../../loader/loader.js';`, 'loader and scan as types'],
    ['src/client/scan.ts', `import { toPolars } from '../adapters/polars/index.js';`, 'adapters by await import'],
    ['src/client/scan.ts', `import type { Frame } from '../adapters/polars/index.js';`, 'adapters by await import'],
    ['src/client/scan.ts', `import { se } from '../index.js';`, 'only the command imports the public door'],
    ['src/client/scan.ts', `import { storeLaws } from '../testing/store-laws.js';`, 'src/testing/store-laws.ts'],
    ['src/testing/a.ts', `import { Spiral } from '../client/spiral.js';`, 'testing may import floors 0–6'],
    ['src/cli/main.ts', `import { Spiral } from '../client/spiral.js';`, 'cli may import core, src/index.ts'],
    ['src/cli/main.ts', `import { Spiral } from 'spiral-loader';`, 'does not import itself by name'],
    ['src/core/a.ts', `import { lawRuns } from '../../test/laws.js';`, 'nothing outside src'],
    ['src/sharding/a.ts', `import { readFile } from 'node:fs/promises';`, 'sharding is pure'],
    ['src/sharding/a.ts', `const rows = await read();`, 'src/sharding/a.ts:1 says await'],
    ['src/extra/a.ts', ``, 'src/extra has no row'],
    ['src/loose.ts', ``, 'has no row'],
  ])('refuses in %s: %s', (path, text, expected) => {
    const found = breaches(path, text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it.each([
    [
      'src/arrow/a.ts',
      `import { b } from './b.js';\nimport { SpiralError } from '../core/errors.js';\nimport { Data } from 'apache-arrow';`,
    ],
    ['src/loader/feeder-thread.ts', `import { openScan } from '../scan/open.js';`],
    [
      'src/adapters/tfjs/index.ts',
      `import type { Loader } from '../../loader/loader.js';\nconst tf = await import('@tensorflow/tfjs');`,
    ],
    ['src/client/scan.ts', `const { toPolars } = await import('../adapters/polars/index.js');`],
    ['src/testing/a.ts', `import type { Loader } from '../loader/loader.js';`],
    ['src/cli/main.ts', `import { Spiral } from '../index.js';`],
    ['src/index.ts', `export { Spiral } from './client/spiral.js';`],
    [
      'src/core/a.ts',
      `// import { b } from '../arrow/b.js';\nconst text = "import { b } from '../arrow/b.js'";\nconst more = \`import '../arrow/b.js'\`;`,
    ],
    ['src/sharding/a.ts', `/** No await here. */\nconst word = 'async';`],
  ])('allows in %s: %s', (path, text) => {
    expect(breaches(path, text)).toEqual([]);
  });
});

describe('the check of the parts of src/streaming', () => {
  it.each([
    ['src/streaming/cache/a.ts', `import { b } from '../mds/b.js';`, 'src/streaming/cache/a.ts:1 imports'],
    ['src/streaming/order/a.ts', `import type { B } from '../native/b.js';`, 'order comes before it'],
    ['src/streaming/a.ts', ``, 'lies in none of'],
    ['src/streaming/other/a.ts', ``, 'lies in none of'],
  ])('refuses in %s: %s', (path, text, expected) => {
    const found = streamingBreaches([{ path, text }]);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('allows parts before, and other folders', () => {
    const text = `import { b } from '../cache/b.js';\nimport { c } from '../../core/c.js';\nimport { d } from './d.js';`;
    expect(streamingBreaches([{ path: 'src/streaming/mds/a.ts', text }])).toEqual([]);
    expect(streamingBreaches([{ path: 'src/loader/a.ts', text: `import { b } from './b.js';` }])).toEqual([]);
  });
});

describe('the circle check', () => {
  it('names every file of a circle', () => {
    const circle = importCircles([
      { path: 'src/core/a.ts', text: `import { b } from './b.js';` },
      { path: 'src/core/b.ts', text: `export { c } from './c.js';` },
      { path: 'src/core/c.ts', text: `const a = await import('./a.js');` },
    ]);
    expect(circle).toEqual(['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts']);
  });

  it('does not count types', () => {
    const files = [
      { path: 'src/core/a.ts', text: `import type { B } from './b.js';` },
      { path: 'src/core/b.ts', text: `import { a } from './a.js';` },
    ];
    expect(importCircles(files)).toEqual([]);
  });
});
