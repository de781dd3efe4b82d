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
  const patterns = alternatives(pattern).map((one) => one.split('/').map((segment) => segmentTest(segment, pattern)));
  return (path) => {
    const names = path.split('/');
    return patterns.some((segments) => fits(segments, names));
  };
}

/** Whether a name is one that a segment of a pattern names; `folders` names any number of visible folders. */
type SegmentTest = 'folders' | ((name: string) => boolean);

/** Whether wildcards name it. */
const isVisible = (name: string): boolean => name !== '' && !/^[._]/.test(name);

/** Looks at each pair of a segment and a name once at most: a regular expression may try all ways of sharing out the names. */
function fits(segments: readonly SegmentTest[], names: readonly string[]): boolean {
  // Which names the segments so far may end before.
  let ends = new Set([0]);
  for (const [at, segment] of segments.entries()) {
    const isLast = at === segments.length - 1;
    const next = new Set<number>();
    for (const end of ends) {
      if (segment !== 'folders') {
        const name = names[end];
        if (name !== undefined && segment(name)) next.add(end + 1);
        continue;
      }
      // In the end it stands for a file, before it for nothing too.
      if (!isLast) next.add(end);
      for (let to = end; to < names.length && isVisible(names[to]!); to++) {
        if (next.has(to + 1)) break;
        next.add(to + 1);
      }
    }
    ends = next;
  }
  return ends.has(names.length);
}

/** A sign of a segment: any number of signs, or what one sign must be. */
type SignTest = 'any' | ((sign: string) => boolean);

function segmentTest(segment: string, pattern: string): SegmentTest {
  if (segment === '**') return 'folders';
  const tests = signTests(segment, pattern);
  const wild = /^[*?[]/.test(segment);
  return (name) => (!wild || !/^[._]/.test(name)) && matches(tests, Array.from(name));
}

/** Whether `signs` are as `tests` say. Of several `any` only the last is ever tried again, as it can take what others could. */
function matches(tests: readonly SignTest[], signs: readonly string[]): boolean {
  let [test, sign, last, taken] = [0, 0, -1, 0];
  while (sign < signs.length) {
    const now = tests[test];
    if (now === 'any') [last, taken] = [test++, sign];
    else if (now?.(signs[sign]!) === true) [test, sign] = [test + 1, sign + 1];
    else if (last >= 0) [test, sign] = [last + 1, ++taken];
    else return false;
  }
  while (tests[test] === 'any') test++;
  return test === tests.length;
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

function signTests(segment: string, pattern: string): SignTest[] {
  const tests: SignTest[] = [];
  for (let at = 0; at < segment.length; ) {
    const sign = String.fromCodePoint(segment.codePointAt(at)!);
    const end = sign === '[' ? segment.indexOf(']', at + 2) : -1;
    if (end > 0) tests.push(setTest(segment.slice(at + 1, end), pattern));
    else if (sign === '*') tests.push('any');
    else if (sign === '?') tests.push(() => true);
    else tests.push((found) => found === sign);
    at = end > 0 ? end + 1 : at + sign.length;
  }
  return tests;
}

function setTest(set: string, pattern: string): SignTest {
  const negated = set[0] === '!' || set[0] === '^';
  const signs = (negated ? set.slice(1) : set).replace(/[\\\][^]/gu, '\\$&');
  try {
    const expression = new RegExp(`^[${negated ? '^' : ''}${signs}]$`, 'u');
    return (sign) => expression.test(sign);
  } catch (cause) {
    throw new SpiralError(
      'invalid_argument',
      `Expected a pattern whose sets of signs go upwards, as [a-z] does, got ${shown(pattern)}.`,
      { details: { pattern: shown(pattern) }, cause },
    );
  }
}
