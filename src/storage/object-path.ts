import { SpiralError, shown } from '../core/errors.js';

/** A path segment that no object may bear: file stores keep their unfinished files there, and no list shows it. */
export const reservedSegment = '.tmp';

/**
 * Returns `path` if every store can hold it: relative, '/'-separated, no empty, '.', '..' or `.tmp` segment, no
 * backslash, no NUL, no half of a surrogate pair.
 *
 * @throws SpiralError `path_outside_root` for absolute paths and '..', else `invalid_argument`.
 */
export function checkPath(path: unknown): string {
  if (typeof path === 'string' && sound.includes(path)) return path;
  if (typeof path !== 'string' || path === '') throw refused(path, 'a relative path that is not empty');
  checkText(path);
  for (const segment of path.split('/')) checkSegment(path, segment);
  sound = [path, ...sound.slice(0, 1)];
  return path;
}

/** Paths that were last found to be some, within a store and the one below it: of most files many ranges are read in turn. */
let sound: readonly string[] = [];

/** Whether {@link checkPath} takes `key`: others, as the markers of folders that some tools leave, are no objects of a store. */
export function isPath(key: string): boolean {
  try {
    checkPath(key);
    return true;
  } catch {
    return false;
  }
}

/** Returns `prefix` if it is '' or the beginning of a path that {@link checkPath} takes. Throws as that does. */
export function checkPrefix(prefix: unknown): string {
  if (typeof prefix !== 'string') throw refused(prefix, "'' or the beginning of a path");
  checkText(prefix);
  const segments = prefix.split('/');
  if (segments.at(-1) === '') segments.pop();
  for (const segment of segments) checkSegment(prefix, segment);
  return prefix;
}

/** The order of lists, that of the paths' UTF-8 bytes, which is S3's: negative, 0 or positive. */
export function comparePaths(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** UTF-16 puts code points above U+FFFF (surrogates, from D800) before E000 … FFFF; UTF-8 puts them after. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function checkText(path: string): void {
  if (path.startsWith('/')) throw outside(path);
  if (path.includes('\\')) throw refused(path, "a path with '/' between its segments and no backslash");
  if (path.includes('\0')) throw refused(path, 'a path without NUL');
  if (/\p{Surrogate}/u.test(path)) throw refused(path, 'a path of whole code points, without lone surrogates');
}

function checkSegment(path: string, segment: string): void {
  if (segment === '..') throw outside(path);
  if (segment === '' || segment === '.') throw refused(path, "a path without empty segments and '.'");
  if (segment === reservedSegment) {
    throw refused(path, `a path without the segment '${reservedSegment}', which is reserved for unfinished files`);
  }
}

function outside(path: string): SpiralError {
  return new SpiralError(
    'path_outside_root',
    `Expected a path relative to the store's root and without '..', got ${shown(path)}. Open a store at the folder you mean.`,
    { details: { path } },
  );
}

function refused(path: unknown, expected: string): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${expected}, got ${shown(path)}.`, { details: { path } });
}
