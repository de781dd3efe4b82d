import { SpiralError, shown } from '../core/errors.js';

/** Whether `segment` of a path is a pattern. */
export function isGlob(segment: string): boolean {
  return /[*?[{]/.test(segment);
}

/** Characters of a pattern: more than any path has. */
const patternCharactersMax = 1024;

/**
 * The paths that `pattern` names: `*` and `?` within a segment, `**` for any number of folders, `[a-z]`, `[!a-z]`, `{a,b}`.
 * Wildcards pass over names that begin with '.' or '_', as those of unfinished and hidden files do. A test takes time in
 * proportion to path times pattern at worst, which regular expressions do not: names of a bucket may be anybody's.
 *
 * @throws SpiralError `invalid_argument` for a set that is none, `limit_exceeded` for too many alternatives, or more than 1,024
 * characters.
 */
export function globTest(pattern: string): (path: string) => boolean {
  if (pattern.length > patternCharactersMax) {
    throw new SpiralError(
      'limit_exceeded',
      `Expected a pattern of at most ${patternCharactersMax} characters, got ${shown(pattern)}, which has ${pattern.length}.`,
    );
  }
  const globs = alternatives(pattern).map((one) => {
    const segments = one
      .split('/')
      .map((segment) => (segment === '**' ? anyFolders : new SegmentGlob(segment, pattern)));
    // At its end `**` stands for a file too, in any number of folders.
    return segments.at(-1) === anyFolders ? [...segments, new SegmentGlob('*', pattern)] : segments;
  });
  return (path) => {
    const names = path.split('/');
    return globs.some((glob) => matches(names, glob));
  };
}

const anyFolders: unique symbol = Symbol('**');

/** Whether a path of `names` is one that `glob` names: part after part, which beginnings of the path it has named so far. */
function matches(names: readonly string[], glob: readonly (SegmentGlob | typeof anyFolders)[]): boolean {
  let named = names.map(() => false);
  named[0] = true;
  named.push(false);
  for (const part of glob) {
    const next = named.map(() => false);
    for (const [at, name] of names.entries()) {
      if (part === anyFolders) {
        if (!named[at] && !next[at]) continue;
        next[at] = true;
        if (name !== '' && isVisible(name)) next[at + 1] = true;
      } else if (named[at]) next[at + 1] = part.matches(name);
    }
    if (part === anyFolders && named[names.length]) next[names.length] = true;
    named = next;
  }
  return named[names.length]!;
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

function isVisible(name: string): boolean {
  return !/^[._]/.test(name);
}

const anyText: unique symbol = Symbol('*');
/** What stands for one sign: the sign itself, or what tests it. */
type OneSign = string | ((sign: string) => boolean);

/** What stands for one name. */
class SegmentGlob {
  readonly #parts: readonly (OneSign | typeof anyText)[];
  readonly #isWild: boolean;

  constructor(segment: string, pattern: string) {
    this.#isWild = /^[*?[]/.test(segment);
    const parts: (OneSign | typeof anyText)[] = [];
    const signs = [...segment];
    for (let at = 0; at < signs.length; at++) {
      const sign = signs[at]!;
      if (sign === '*') parts.push(anyText);
      else if (sign === '?') parts.push(() => true);
      else if (sign !== '[') parts.push(sign);
      else {
        const end = signs.indexOf(']', at + 2);
        parts.push(end < 0 ? sign : setTest(signs.slice(at + 1, end).join(''), pattern));
        if (end >= 0) at = end;
      }
    }
    this.#parts = parts;
  }

  /** Goes back to the last `*` alone, as an earlier one can take no more than that one. */
  matches(name: string): boolean {
    if (this.#isWild && !isVisible(name)) return false;
    const parts = this.#parts;
    const signs = [...name];
    let [at, part, star, resume] = [0, 0, -1, 0];
    while (at < signs.length) {
      const wanted = parts[part];
      if (wanted === anyText) {
        star = part++;
        resume = at;
      } else if (wanted !== undefined && (typeof wanted === 'string' ? wanted === signs[at] : wanted(signs[at]!))) {
        at++;
        part++;
      } else if (star >= 0) {
        part = star + 1;
        at = ++resume;
      } else return false;
    }
    while (parts[part] === anyText) part++;
    return part === parts.length;
  }
}

function setTest(set: string, pattern: string): (sign: string) => boolean {
  const isNegated = set[0] === '!' || set[0] === '^';
  // By their numbers, as not all of these may be escaped by a backslash.
  const signs = (isNegated ? set.slice(1) : set).replace(
    /[\\\][^&~|]/gu,
    (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`,
  );
  try {
    const expression = new RegExp(`^[${isNegated ? '^/' : ''}${signs}]$`, 'u');
    return (sign) => expression.test(sign);
  } catch (cause) {
    throw new SpiralError(
      'invalid_argument',
      `Expected a set of signs, as [a-z], in ${shown(pattern)}, got [${set}].`,
      {
        details: { pattern },
        cause,
      },
    );
  }
}
