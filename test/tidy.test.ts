import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './source-text.js';
import { fileLinesMax, functionLinesMax, functionsOf, tidyBreaches, tidyRules } from './tidy-rules.js';

const statements = (count: number): string => '  step();\n'.repeat(count);
const machinePath = ['', 'home', 'someone', 'data'].join('/');
const registry = ['https:/', `registry.example.org`, 'x.tgz'].join('/');

describe('the repository', () => {
  const files = repositoryFiles();

  it.each(tidyRules)('keeps the rule: $name', (rule) => {
    expect(files.length).toBeGreaterThan(0);
    expect(tidyBreaches(files, [rule])).toEqual([]);
  });
});

describe('each rule', () => {
  const samples: readonly (readonly [rule: string, path: string, text: string])[] = [
    ['file length', 'src/core/long.ts', statements(fileLinesMax + 1)],
    ['file length', 'test/core/long.test.ts', statements(fileLinesMax + 1)],
    ['function length', 'src/core/a.ts', `export function a(): void {\n${statements(functionLinesMax)}}\n`],
    [
      'function length',
      'src/core/a.ts',
      `const a = async (b: number): Promise<void> => {\n${statements(functionLinesMax)}};\n`,
    ],
    [
      'function length',
      'src/core/a.ts',
      `class A {\n  #b<T extends { c: number }>(): Map<string, { c: T }> {\n${statements(functionLinesMax)}}}\n`,
    ],
    ['law size', 'test/core/a.test.ts', 'fc.assert(fc.property(fc.nat(), holds));'],
    ['file name', 'src/core/utils.ts', ''],
    ['file name', 'src/core/string-helpers.ts', ''],
    ['file name', 'src/table/types.ts', ''],
    ['file name', 'test/misc.ts', ''],
    ['file name', 'src/common.ts', ''],
    ['clock', 'src/table/a.ts', 'const now = Date.now();'],
    ['clock', 'src/table/a.ts', 'const now = new Date();'],
    ['clock', 'src/table/a.ts', 'const now = performance.now();'],
    ['timers', 'src/table/a.ts', 'setTimeout(done, 5);'],
    ['timers', 'src/table/a.ts', 'setInterval(tick, 5);'],
    ['randomness', 'src/table/a.ts', 'const pick = Math.random();'],
    ['randomness', 'src/table/a.ts', `import { randomUUID } from 'node:crypto';`],
    ['console', 'src/table/a.ts', 'console.log(a);'],
    ['export star', 'src/index.ts', `export * from './a.js';`],
    ['focused test', 'test/core/a.test.ts', 'it.only(name, body);'],
    ['skipped test', 'test/core/a.test.ts', 'describe.skip(name, body);'],
    ['skipped test', 'test/core/a.test.ts', 'it.todo(name);'],
    ['open ends', 'src/core/a.ts', '/** TODO: more */'],
    ['open ends', 'src/core/a.ts', 'a(); // FIXME'],
    ['machine path', 'README.md', `Look in ${machinePath}.`],
    ['registry host', 'package-lock.json', `"resolved": "${registry}"`],
  ];

  it.each(samples)('%s: finds a breach in %s (sample %#)', (name, path, text) => {
    const rule = tidyRules.filter((one) => one.name === name);
    expect(rule).toHaveLength(1);
    expect(tidyBreaches([{ path, text }], rule)).not.toEqual([]);
  });

  it('has a sample', () => {
    expect(new Set(samples.map(([name]) => name))).toEqual(new Set(tidyRules.map(({ name }) => name)));
  });

  it('says file, line and remedy', () => {
    expect(tidyBreaches([{ path: 'src/table/a.ts', text: '\n\nconst now = Date.now();\n' }])).toEqual([
      'src/table/a.ts:3: `Date.now`: ask src/core/runtime.ts (monotonicMs, wallMicros)',
    ]);
  });
});

describe('the rules together', () => {
  it.each([
    ['src/core/runtime.ts', 'const now = Date.now(); setTimeout(done, 5);'],
    ['src/core/random.ts', `import { randomBytes } from 'node:crypto';`],
    ['src/cli/main.ts', 'console.log(a);'],
    ['src/table/a.ts', `// Date.now() is banned\nconst text = 'Math.random()'; const pattern = /console.log/;`],
    ['src/table/a.ts', ['const text = `setTimeout( $', '{named({ a: 1 })} console.log()`;'].join('')],
    ['src/table/a.ts', 'export * as se from "./expr.js"; const when = new Date(0); half = a / 2; b = c / d;'],
    ['src/table/key-type.ts', ''],
    ['src/table/commonest.ts', ''],
    ['test/core/a.test.ts', `it.skipIf(windows)('links', body); setTimeout(done, 5);`],
    ['docs/a.md', 'See `~/data` and https://example.org/home/page, or npm.'],
  ])('let pass in %s: %s', (path, text) => {
    expect(tidyBreaches([{ path, text }])).toEqual([]);
  });
});

describe('the measure of functions', () => {
  const measured = (text: string): (readonly [number, number])[] =>
    functionsOf(text)
      .map(({ line, lines }) => [line, lines] as const)
      .sort((a, b) => a[0] - b[0]);

  it.each<[string, (readonly [number, number])[]]>([
    ['function a() {\n  b();\n}', [[1, 3]]],
    ['function a(b: { c: number }): asserts b is { c: 1 } {\n}', [[1, 2]]],
    ['function a(): Map<string, { b: number }> | { c: 1 } {\n}', [[1, 2]]],
    ['async function* a<T>(b = (c: T) => c): AsyncIterable<T> {\n\n}', [[1, 3]]],
    [
      'class A {\n  constructor() {\n  }\n  get b(): string[] {\n    return [];\n  }\n}',
      [
        [2, 2],
        [4, 3],
      ],
    ],
    ['const a = {\n  b(c: number) {\n  },\n};', [[2, 2]]],
    ['const a = (b: number): Promise<void> => {\n};', [[1, 2]]],
    ['const a = (b: string) => ({\n  b,\n});', []],
    ['function a(b: string): void;\nfunction a(b: number): void;\nfunction a(): void {\n}', [[3, 2]]],
    ['if (a) {\n  b();\n} else if (c) {\n}\nfor await (const d of e) {\n}\nswitch (f) {\n  case g(h): {\n  }\n}', []],
    ['const a = b ? c(d) : { e: 1 };', []],
    ['interface A {\n  b(c: number): { d: number };\n}', []],
  ])('of %j', (text, expected) => {
    expect(measured(text)).toEqual(expected);
  });
});
