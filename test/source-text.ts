import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One file of the repository: its path from the root, with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** A stretch `[from, to)` of a text that is no code; its delimiters are part of it. */
export interface Region {
  readonly kind: 'comment' | 'string' | 'regex';
  readonly from: number;
  readonly to: number;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const binary = /\.(png|jpg|jpeg|gz|zip|zstd?|lz4|arrow|parquet|mds|bin|wasm)$/;

/** Every text file git tracks or would track, sorted by path. */
export function repositoryFiles(): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const paths = [...new Set(listed.split('\0'))].filter((path) => path !== '' && !binary.test(path)).sort();
  return paths
    .filter((path) => existsSync(root + path))
    .map((path) => ({ path, text: readFileSync(root + path, 'utf8') }));
}

/** The file at `path`, from the root of the repository. */
export function repositoryFile(path: string): SourceFile {
  return { path, text: readFileSync(root + path, 'utf8') };
}

/** The 1-based line of the character at `index`. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let next = text.indexOf('\n'); next !== -1 && next < index; next = text.indexOf('\n', next + 1)) line++;
  return line;
}

/** `text` at its own length, with the inside of every region of these kinds turned to spaces (line ends stay). */
export function blanked(text: string, kinds: readonly Region['kind'][] = ['comment', 'string', 'regex']): string {
  let code = '';
  let done = 0;
  for (const { kind, from, to } of regions(text)) {
    if (!kinds.includes(kind)) continue;
    const edge = kind === 'string' ? 1 : 0;
    code += text.slice(done, from + edge) + text.slice(from + edge, to - edge).replace(/[^\n]/g, ' ');
    done = to - edge;
  }
  return code + text.slice(done);
}

/** The comments, strings and regular expressions of TypeScript source, in order. Holes of a template are code. */
export function regions(text: string): Region[] {
  const found: Region[] = [];
  const holes: number[] = [];
  let at = 0;
  const take = (kind: Region['kind'], to: number): void => {
    found.push({ kind, from: at, to });
    at = to;
  };
  const takeTemplate = (): void => {
    const end = templateEnd(text, at + 1);
    if (text[end - 1] === '{') holes.push(0);
    take('string', end);
  };
  if (text.startsWith('#!')) take('comment', endOf(text, '\n', 0));
  while (at < text.length) {
    const char = text[at];
    if (text.startsWith('//', at)) take('comment', endOf(text, '\n', at) - (text.includes('\n', at) ? 1 : 0));
    else if (text.startsWith('/*', at)) take('comment', endOf(text, '*/', at + 2));
    else if (char === "'" || char === '"') take('string', quoteEnd(text, at + 1, char));
    else if (char === '/' && regexMayStart(text.slice(Math.max(0, at - 80), at))) take('regex', regexEnd(text, at + 1));
    else if (char === '`') takeTemplate();
    else if (char === '}' && holes.at(-1) === 0) {
      holes.pop();
      takeTemplate();
    } else {
      if (holes.length > 0 && char === '{') holes[holes.length - 1]!++;
      if (holes.length > 0 && char === '}') holes[holes.length - 1]!--;
      at++;
    }
  }
  return found;
}

function endOf(text: string, mark: string, from: number): number {
  const index = text.indexOf(mark, from);
  return index === -1 ? text.length : index + mark.length;
}

function quoteEnd(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

/** After the closing backtick, or after the `{` of a hole. */
function templateEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}

function regexEnd(text: string, from: number): number {
  let inClass = false;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '\n') return at;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return at + 1;
  }
  return text.length;
}

/** A slash divides after a value; after an operator, an opening bracket or one of these words it starts a pattern. */
function regexMayStart(before: string): boolean {
  const code = before.trimEnd();
  if (/(^|[^\w$.])(return|typeof|case|in|of|delete|void|throw|else|do|await|yield)$/.test(code)) return true;
  return !/[\w$)\]}'"`]$/.test(code);
}
