import { blanked, lineAt, type SourceFile } from './source-text.js';

/** One import of a file. `value` and `dynamic` happen at run time; `type` is erased. */
export interface SourceImport {
  readonly specifier: string;
  readonly kind: 'value' | 'type' | 'dynamic';
  readonly line: number;
}

const fromClause =
  /\b(?:import\s+(type\s+(?!from\b))?(?:[\w$]+(?:\s*,\s*)?)?(?:\*\s*as\s+[\w$]+|\{[^{}]*\})?|export\s+(type\s+)?(?:\*(?:\s*as\s+[\w$]+)?|\{[^{}]*\}))\s*from\s*['"]/g;
const sideEffect = /\bimport\s*['"]/g;
const call = /(\btypeof\s+)?\bimport\s*\(\s*['"]/g;

/**
 * The imports, re-exports and `import()` of TypeScript source. An `import()` of anything but a literal is not seen, and
 * `import('x').Name`, with a capital, is a type.
 */
export function importsOf(text: string): SourceImport[] {
  const code = blanked(text);
  const found: SourceImport[] = [];
  const add = (match: RegExpExecArray, kind: SourceImport['kind']): void => {
    const from = match.index + match[0].length;
    const to = code.indexOf(code[from - 1]!, from);
    const typed = kind === 'dynamic' && /^['"]\s*\)\s*\.\s*[A-Z]/.test(code.slice(to, to + 80));
    found.push({ specifier: text.slice(from, to), kind: typed ? 'type' : kind, line: lineAt(text, match.index) });
  };
  for (const match of code.matchAll(fromClause)) add(match, (match[1] ?? match[2]) === undefined ? 'value' : 'type');
  for (const match of code.matchAll(sideEffect)) add(match, 'value');
  for (const match of code.matchAll(call)) add(match, match[1] === undefined ? 'dynamic' : 'type');
  return found.sort((a, b) => a.line - b.line);
}

/** The path of the source file that a relative specifier names, or undefined where it names a package. */
export function importedPath(file: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const parts = file.path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/').replace(/\.js$/, '.ts');
}
