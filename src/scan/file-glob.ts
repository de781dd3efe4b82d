import { SpiralError, shown } from '../core/errors.js';

/** Whether `segment` of a path is a pattern. */
export function isGlob(segment: string): boolean {
  return /[*?[{]/.test(segment);
}

/** Characters of a pattern: more than any path has. */
const patternCharactersMax = 1024;

/**
 * The paths that `pattern` names: `*` and `?` within a segment, `**` for any number of folders, `[a-z]`, `[!a-z]`, `{a,b}`.
 * Wildcards pass over names that begin with '.' or '_', as those of unfinished and hidden files do.
 *
 * @throws SpiralError `limit_exceeded` for more than 1,024 characters or alternatives, `invalid_argument` for a set of signs
 * that is none, as `[z-a]`.
 */
export function globTest(pattern: string): (path: string) => boolean {
  if (pattern.length > patternCharactersMax) {
    throw new SpiralError(
      'limit_exceeded',
      `Expected a pattern of at most ${patternCharactersMax} characters, got ${shown(pattern)}, which has ${pattern.length}.`,
    );
  }
  const expressions = alternatives(pattern).map((one) => {
    const segments = one.split('/');
    const source = segments.map((segment, at) => {
      const last = at === segments.length - 1;
      if (segment === '**') return last ? `(?:${visible}[^/]+/)*${visible}[^/]+` : `(?:${visible}[^/]+/)*`;
      return segmentSource(segment) + (last ? '' : '/');
    });
    return compiled(`^${source.join('')}$`, pattern);
  });
  return (path) => expressions.some((expression) => expression.test(path));
}

function compiled(source: string, pattern: string): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch (cause) {
    throw new SpiralError(
      'invalid_argument',
      `Expected a pattern whose sets of signs go upwards, as [a-z] does, got ${shown(pattern)}.`,
      { details: { pattern: shown(pattern) }, cause },
    );
  }
}

/** Patterns at most that braces make of one. */
const alternativesMax = 1024;

/** `pattern` with each choice of its `{a,b}`, the innermost first; a brace without a partner is a sign like any other. */
function alternatives(pattern: string): string[] {
  let found = [pattern];
  for (;;) {
    const next = found.flatMap((one) => {
      const [braces, inner] = /\{([^{}]*)\}/.exec(one) ?? [];
      if (braces === undefined) return [one];
      const at = one.indexOf(braces);
      return inner!.split(',').map((choice) => one.slice(0, at) + choice + one.slice(at + braces.length));
    });
    if (next.length === found.length && next.every((one, at) => one === found[at])) return found;
    if (next.length > alternativesMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected a pattern of at most ${alternativesMax} alternatives, got ${shown(pattern)}.`,
      );
    }
    found = next;
  }
}

/** Stands before a wildcard that begins a name. */
const visible = '(?![._])';

function segmentSource(segment: string): string {
  let source = /^[*?[]/.test(segment) ? visible : '';
  for (let at = 0; at < segment.length; at++) {
    const sign = segment[at]!;
    if (sign === '*') source += '[^/]*';
    else if (sign === '?') source += '[^/]';
    else if (sign === '[') {
      const end = segment.indexOf(']', at + 2);
      if (end < 0) source += '\\[';
      else {
        source += setSource(segment.slice(at + 1, end));
        at = end;
      }
    } else source += literal(sign);
  }
  return source;
}

function setSource(set: string): string {
  const negated = set[0] === '!' || set[0] === '^';
  const signs = (negated ? set.slice(1) : set).replace(/[\\\][^]/gu, '\\$&');
  return `[${negated ? '^/' : ''}${signs}]`;
}

function literal(sign: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(sign) ? `\\${sign}` : sign;
}
