import { delimiter } from 'node:path';
import { knownOptions, optionsObject } from '../core/check.js';
import {
  type ClientSettings,
  noneWord,
  parseSetting,
  type SettingKey,
  settingDefault,
  settingKey,
  settingKeys,
  settingMeaning,
} from './setting-keys.js';

import type { SettingOrigin } from './setting-origin.js';
import { fileSettings } from './settings-file.js';

/** A setting that holds, for people. */
export interface Setting {
  readonly key: keyof ClientSettings;
  /** The value, what may be secret in a URI left out. */
  readonly value: string | number | boolean | null;
  readonly origin: SettingOrigin;
  /** What it is for, in a line. */
  readonly meaning: string;
}

/** The environment variable of `warehouse.uri` is `SPIRAL__WAREHOUSE__URI`. */
const prefix = 'SPIRAL__';

type Environment = Readonly<Record<string, string | undefined>>;
type Held = { readonly value: ClientSettings[SettingKey]; readonly origin: SettingOrigin };

/**
 * The settings that hold: `overrides`, then `config`, then the environment, then `~/.spiral.toml`, then defaults.
 *
 * @throws SpiralError `invalid_config` for a key that is unknown or has no use, wherever it stands, or a value that holds and
 * does not parse; `not_found`. Both name where it was given.
 */
export function resolveSettings(
  config: Partial<ClientSettings> = {},
  overrides: Readonly<Record<string, string>> = {},
  environment: Environment = process.env,
): ClientSettings {
  const settings = Array.from(held(config, overrides, environment), ([key, { value }]) => [key, value]);
  return Object.freeze(Object.fromEntries(settings)) as ClientSettings;
}

/**
 * Each setting, its value, and where that came from: what `new Spiral(options)` would be set to. What may be secret in a URI
 * (user, password, query) is shown as `…`.
 *
 * @throws SpiralError as `new Spiral`.
 */
export function explainSettings(
  options: { config?: Partial<ClientSettings>; overrides?: Readonly<Record<string, string>> } = {},
): Setting[] {
  knownOptions('explainSettings', options, ['config', 'overrides']);
  return Array.from(held(options.config ?? {}, options.overrides ?? {}, process.env), ([key, { value, origin }]) => ({
    key,
    value: typeof value === 'string' ? withoutSecrets(value) : value,
    origin,
    meaning: settingMeaning(key),
  }));
}

function held(
  config: Partial<ClientSettings>,
  overrides: Readonly<Record<string, string>>,
  environment: Environment,
): Map<SettingKey, Held> {
  const given = new Map<SettingKey, { readonly text: string; readonly origin: SettingOrigin }>();
  const add = (key: string, text: string, origin: SettingOrigin): void => {
    given.set(settingKey(key, origin), { text, origin });
  };
  for (const { key, text, origin } of fileSettings(environment)) add(key, text, origin);
  // Each value of `process.env` is asked of the system.
  for (const variable of Object.keys(environment)) {
    const value = variable.startsWith(prefix) ? environment[variable] : undefined;
    if (value === undefined) continue;
    const key = variable.slice(prefix.length).split('__').join('.').toLowerCase();
    add(key, value, { kind: 'environment', variable });
  }
  for (const [key, value] of Object.entries(optionsObject('`config`', config))) {
    if (value !== undefined) add(key, value === null ? noneWord : String(value), { kind: 'config' });
  }
  for (const [key, text] of Object.entries(optionsObject('`overrides`', overrides)))
    add(key, text, { kind: 'override' });
  return new Map(
    settingKeys.map((key): [SettingKey, Held] => {
      const found = given.get(key);
      return found === undefined
        ? [key, { value: settingDefault(key), origin: { kind: 'default' } }]
        : [key, { value: parseSetting(key, found.text, found.origin), origin: found.origin }];
    }),
  );
}

/** The paths in a setting that names several. */
export function pathsOf(setting: string): string[] {
  return setting.split(delimiter).filter((path) => path !== '');
}

/** A secret may hold any character, so all up to the last `@` is left out. */
function withoutSecrets(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  if (scheme === undefined) return text;
  const [place = '', ...query] = text.slice(scheme.length).split(/[?#]/);
  const at = place.lastIndexOf('@');
  return `${scheme}${at === -1 ? place : `…${place.slice(at)}`}${query.length > 0 ? '?…' : ''}`;
}
