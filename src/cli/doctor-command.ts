import type { CommandSpec } from './command.js';
import { done, failed } from './failure.js';

const marks = { ok: 'ok', note: 'note', failed: 'FAILED' } as const;

/** `spiral doctor`: whether all that tables and loaders need works here. */
export const doctorCommand: CommandSpec = {
  words: ['doctor'],
  about: 'check Node.js, optional packages, the store, its conditional writes, its clock and the caches',
  examples: ['doctor', 'doctor --warehouse /data/warehouse'],
  run: async ({ spiral, out }) => {
    const findings = await spiral.diagnose();
    const rows = findings.map(({ check, state, found, remedy }) => [
      marks[state],
      check,
      remedy === null ? found : `${found}. ${remedy}`,
    ]);
    await out.table([{ name: '' }, { name: 'check' }, { name: 'found', whole: true }], rows, findings);
    return findings.some(({ state }) => state === 'failed') ? failed : done;
  },
};
