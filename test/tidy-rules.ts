import { blanked, lineAt, regions, type SourceFile } from './source-text.js';

/** A rule of style. `check` returns its breaches in one file, each as `line: what to do instead`. */
export interface TidyRule {
  readonly name: string;
  readonly covers: (path: string) => boolean;
  readonly check: (file: SourceFile) => string[];
}

export const fileLinesMax = 400;
export const functionLinesMax = 70;

const isSource = (path: string): boolean => path.startsWith('src/');
const isScript = (path: string): boolean => /\.(ts|mjs|js)$/.test(path);
const isTest = (path: string): boolean => path.startsWith('test/');
const isDoor = (path: string): boolean => path === 'src/core/runtime.ts' || path === 'src/core/random.ts';

/** A rule that forbids code of a pattern; strings, comments and regular expressions do not count. */
function banned(name: string, pattern: RegExp, remedy: string, covers: (path: string) => boolean): TidyRule {
  return {
    name,
    covers,
    check: ({ text }) => {
      const code = blanked(text);
      return [...code.matchAll(pattern)].map(
        ({ 0: found, index }) => `${lineAt(code, index)}: \`${found}\`: ${remedy}`,
      );
    },
  };
}

/** A rule that forbids a pattern anywhere in a text. */
function absent(name: string, pattern: RegExp, remedy: string, covers: (path: string) => boolean): TidyRule {
  return {
    name,
    covers,
    check: ({ text }) =>
      [...text.matchAll(pattern)].map(
        ({ 0: found, index }) => `${lineAt(text, index)}: \`${found.trim()}\`: ${remedy}`,
      ),
  };
}

const lines = (text: string): number => lineAt(text, text.trimEnd().length);

export const tidyRules: readonly TidyRule[] = [
  {
    name: 'file length',
    covers: isScript,
    check: ({ text }) =>
      lines(text) > fileLinesMax
        ? [`1: ${lines(text)} lines: split it by noun, at most ${fileLinesMax} lines a file`]
        : [],
  },
  {
    name: 'function length',
    covers: (path) => isScript(path) && !isTest(path),
    check: ({ text }) =>
      functionsOf(text)
        .filter((body) => body.lines > functionLinesMax)
        .map((body) => `${body.line}: a function of ${body.lines} lines: take steps out, at most ${functionLinesMax}`),
  },
  {
    name: 'law size',
    covers: isTest,
    check: ({ text }) => {
      const code = blanked(text);
      const law = code.search(/\bfc\.(assert|check)\(/);
      return law < 0 || /\blawRuns\(/.test(code)
        ? []
        : [`${lineAt(code, law)}: take the number of cases, and with it the seed, from lawRuns of test/laws.ts`];
    },
  },
  {
    name: 'file name',
    covers: (path) => isScript(path),
    check: ({ path }) =>
      /(^|[/-])(utils?|helpers?|types|misc|common)(\.test)?\.\w+$/.test(path)
        ? ['1: a bag of a file: name it after its one noun']
        : [],
  },
  banned(
    'clock',
    /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
    'ask src/core/runtime.ts (monotonicMs, wallMicros)',
    (path) => isSource(path) && !isDoor(path),
  ),
  banned(
    'timers',
    /(?<![.\w$])(setTimeout|setInterval|setImmediate)\b/g,
    'use sleep or macrotask of src/core/runtime.ts',
    (path) => isSource(path) && !isDoor(path),
  ),
  banned(
    'randomness',
    /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\bgetRandomValues\b/g,
    'use randomStream or uniqueId of src/core/random.ts',
    (path) => isSource(path) && !isDoor(path),
  ),
  banned(
    'console',
    /\bconsole\s*\./g,
    'throw a SpiralError, return a value or report progress; only the command prints',
    (path) => isSource(path) && !path.startsWith('src/cli/'),
  ),
  banned('export star', /\bexport\s*\*(?!\s*as\b)/g, 'name each export', isScript),
  banned('focused test', /\b(it|test|describe|suite)\s*\.\s*only\b/g, 'run one file or `-t name` instead', isTest),
  banned(
    'skipped test',
    /\b(it|test|describe|suite)\s*\.\s*(skip|todo)\b(?!If)/g,
    'mend it or delete it; `skipIf` where the machine cannot run it',
    isTest,
  ),
  {
    name: 'open ends',
    covers: isScript,
    check: ({ text }) =>
      regions(text)
        .filter((region) => region.kind === 'comment')
        .flatMap(({ from, to }) =>
          [...text.slice(from, to).matchAll(/\b(TODO|FIXME|XXX|HACK)\b/g)].map((match) => ({ match, from })),
        )
        .map(({ match, from }) => `${lineAt(text, from + match.index)}: \`${match[0]}\`: do it now, or leave it out`),
  },
  absent(
    'machine path',
    /(?<![\w.~-])\/(home|root|work|Users)\/[\w.-]+/g,
    'write a path from the root of the repository, or under `~`',
    () => true,
  ),
  absent(
    'registry host',
    /https?:\/\/[^\s"'`/]*registry[^\s"'`]*|"resolved":\s*"http[^"]*"/g,
    'leave registries to npm: lock without `resolved`',
    () => true,
  ),
];

/** Breaches of every rule in `files`, each as `path:line: what to do`. */
export function tidyBreaches(files: readonly SourceFile[], rules: readonly TidyRule[] = tidyRules): string[] {
  return files.flatMap((file) =>
    rules
      .filter((rule) => rule.covers(file.path))
      .flatMap((rule) => rule.check(file).map((found) => `${file.path}:${found}`)),
  );
}

/** The functions of TypeScript source: where each begins, and the lines from there to its last brace. */
export function functionsOf(text: string): { line: number; lines: number }[] {
  const code = blanked(text);
  const closers = matchingBrackets(code);
  const found: { line: number; lines: number }[] = [];
  const add = (start: number, brace: number): void => {
    const line = lineAt(code, start);
    found.push({ line, lines: lineAt(code, closers.get(brace) ?? code.length) - line + 1 });
  };
  for (const [open, close] of closers) {
    if (code[open] === '{' && code.slice(0, open).trimEnd().endsWith('=>')) add(open, open);
    if (
      code[open] !== '(' ||
      /(?<![\w$.])(if|for|await|while|switch|catch|with)\s*$/.test(code.slice(Math.max(0, open - 20), open))
    )
      continue;
    const brace = bodyBrace(code, close + 1, closers);
    if (brace !== undefined) add(open, brace);
  }
  return found;
}

function matchingBrackets(code: string): Map<number, number> {
  const closers = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < code.length; at++) {
    const char = code[at]!;
    if ('({['.includes(char)) open.push(at);
    else if (')}]'.includes(char) && open.length > 0) closers.set(open.pop()!, at);
  }
  return closers;
}

/** The brace of a body after the parameters that end before `from`, with or without a return type between. */
function bodyBrace(code: string, from: number, closers: ReadonlyMap<number, number>): number | undefined {
  let at = from + /^\s*/.exec(code.slice(from))![0].length;
  if (code[at] === '{') return at;
  if (code[at] !== ':') return undefined;
  let last = ':';
  let angles = 0;
  for (at += 1; at < code.length; at++) {
    const char = code[at]!;
    if (/\s/.test(char)) continue;
    const inType =
      angles > 0 || (/[:|&>,(<?]$/.test(last) && !/[^=]>$/.test(last)) || /\b(is|extends|keyof|asserts)$/.test(last);
    if (char === '{' && !inType) return at;
    if (angles === 0 && /[;,)}\]]/.test(char)) return undefined;
    if ('({['.includes(char)) at = closers.get(at) ?? code.length;
    if (char === '<') angles++;
    if (char === '>' && !last.endsWith('=')) angles--;
    last = code.slice(Math.max(0, at - 10), at + 1).trimEnd();
  }
  return undefined;
}
