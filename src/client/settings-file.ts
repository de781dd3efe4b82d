import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse, TomlError, type TomlValueWithoutBigInt } from 'smol-toml';
import { SpiralError, shown } from '../core/errors.js';
import { settingsFileBytesMax } from '../core/limits.js';
import type { SettingOrigin } from './setting-origin.js';

/** A setting as a file gives it. */
export interface FileSetting {
  /** Dotted. */
  readonly key: string;
  readonly text: string;
  readonly origin: SettingOrigin;
}

/** The variable that names another file than `~/.spiral.toml`; empty for none. */
const fileVariable = 'SPIRAL_CONFIG';

/**
 * The settings in `~/.spiral.toml`, or in the file that the variable `SPIRAL_CONFIG` names; none where there is no
 * `~/.spiral.toml`, or the variable is empty.
 *
 * @throws SpiralError `invalid_config` for a file that cannot be read, is no TOML, or holds more than texts, numbers and
 * booleans; `not_found` where the file that the variable names is not there.
 */
export function fileSettings(environment: Readonly<Record<string, string | undefined>>): FileSetting[] {
  const named = environment[fileVariable];
  if (named === '') return [];
  const path = named ?? join(homedir(), '.spiral.toml');
  const text = fileText(path, named !== undefined);
  if (text === undefined) return [];
  const found: FileSetting[] = [];
  collect(parsed(text, path), [], { path, text }, found);
  return found;
}

function fileText(path: string, required: boolean): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !required) return undefined;
    if (code === 'ENOENT') {
      throw new SpiralError(
        'not_found',
        `Expected a file of settings at ${path} (environment ${fileVariable}), found none.`,
        { details: { path, variable: fileVariable }, cause },
      );
    }
    throw unreadable(path, `a file that can be read, got ${code ?? String(cause)}`, cause);
  }
  if (bytes.length > settingsFileBytesMax) {
    throw unreadable(path, `at most ${settingsFileBytesMax} bytes of settings, found ${bytes.length}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, 'UTF-8, found bytes that are none', cause);
  }
}

function parsed(text: string, path: string): Readonly<Record<string, TomlValueWithoutBigInt>> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: 16 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser's own message repeats lines of the file, which may hold secrets, so it is no cause either.
    const [first = ''] = error.message.split('\n');
    const place = `${path}:${error.line}:${error.column}`;
    throw new SpiralError('invalid_config', `Expected TOML in ${place}, got: ${first}`, {
      details: { path, line: error.line, column: error.column },
    });
  }
}

/** Tables are parts of a key: `[limits]` and `batch_readahead` make `limits.batch_readahead`. */
function collect(
  table: Readonly<Record<string, TomlValueWithoutBigInt>>,
  above: readonly string[],
  file: { readonly path: string; readonly text: string },
  found: FileSetting[],
): void {
  for (const [name, value] of Object.entries(table)) {
    const names = [...above, name];
    const key = names.join('.');
    if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)) {
      collect(value as Readonly<Record<string, TomlValueWithoutBigInt>>, names, file, found);
      continue;
    }
    const line = lineOf(names, file.text);
    if (typeof value === 'object') {
      const place = line === null ? file.path : `${file.path}:${line}`;
      throw new SpiralError(
        'invalid_config',
        `Expected the setting '${key}' (${place}) to be a text, a number or a boolean, got ${shown(value)}.`,
        { details: { key, path: file.path, line } },
      );
    }
    found.push({ key, text: String(value), origin: { kind: 'file', path: file.path, line } });
  }
}

/** The first line up to which the file, by itself, has the key: where the key's value ends. */
function lineOf(names: readonly string[], text: string): number | null {
  const last = names.at(-1)!;
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    if (lines[at]!.includes(last) && holds(names, lines.slice(0, at + 1).join('\n'))) return at + 1;
  }
  return null;
}

function holds(names: readonly string[], text: string): boolean {
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    return false;
  }
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return true;
}

function unreadable(path: string, expected: string, cause?: unknown): SpiralError {
  return new SpiralError('invalid_config', `Expected ${path} to hold ${expected}.`, {
    details: { path },
    cause,
  });
}
