import type { Setting } from '../index.js';
import type { CommandSpec } from './command.js';
import { done } from './failure.js';

/** `spiral config`: each setting, its value, and where that came from. */
export const configCommand: CommandSpec = {
  words: ['config'],
  about: 'show each setting, its value, and where that came from',
  examples: ['config', 'config --set verify=always', 'config --json'],
  run: async ({ overrides, out, door }) => {
    const settings = door.explainSettings({ overrides });
    const rows = settings.map((setting) => [
      setting.key,
      setting.value === null ? 'none' : String(setting.value),
      originText(setting.origin),
      setting.meaning,
    ]);
    await out.table([{ name: 'key' }, { name: 'value' }, { name: 'from' }, { name: 'meaning' }], rows, settings);
    return done;
  },
};

function originText(origin: Setting['origin']): string {
  if (origin.kind === 'environment') return origin.variable;
  if (origin.kind === 'file') return origin.line === null ? origin.path : `${origin.path}:${origin.line}`;
  return origin.kind === 'override' ? 'command line' : origin.kind;
}
