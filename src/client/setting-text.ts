import { homedir } from 'node:os';
import { join } from 'node:path';
import { SpiralError, shown } from '../core/errors.js';
import { originText, type SettingOrigin } from './setting-origin.js';

/** A text that was given for the setting `key`, and by what. */
export interface GivenText {
  readonly key: string;
  readonly text: string;
  readonly origin: SettingOrigin;
}

/** What a setting is for, its default, and how a text becomes its value. */
export interface SettingDefinition<T> {
  readonly meaning: string;
  readonly otherwise: T;
  /** @throws SpiralError `invalid_config`. */
  parse(given: GivenText): T;
}

/** The text as a whole number of at least `min`. @throws SpiralError `invalid_config`, saying what was `expected`. */
export function wholeText(given: GivenText, min: number, expected: string): number {
  const value = Number(given.text);
  if (given.text.trim() !== '' && Number.isSafeInteger(value) && value >= min) return value;
  throw invalidText(given, expected);
}

/** The text as a truth value. @throws SpiralError `invalid_config`. */
export function truthText(given: GivenText): boolean {
  if (given.text !== 'true' && given.text !== 'false') throw invalidText(given, "'true' or 'false'");
  return given.text === 'true';
}

/** A path or URI in which `~/` is the home folder. @throws SpiralError `invalid_config` for none. */
export function placeText(given: GivenText, expected: string): string {
  if (given.text === '') throw invalidText(given, expected);
  return /^~(\/|$)/.test(given.text) ? join(homedir(), given.text.slice(1)) : given.text;
}

/** The error of a text that is not what was `expected`. */
export function invalidText({ key, text, origin }: GivenText, expected: string): SpiralError {
  const from = originText(origin);
  return new SpiralError(
    'invalid_config',
    `Expected the setting '${key}' to be ${expected}, got ${shown(text)} (${from}).`,
    { details: { key, expected, found: text, origin: from } },
  );
}
