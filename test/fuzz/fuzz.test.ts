import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { lawRuns } from '../laws.js';
import type { FuzzFault } from './fuzz-child.js';
import { FuzzRun } from './fuzz-run.js';
import { fuzzTargets } from './fuzz-targets.js';

/** Inputs that once did what they must not: by target, in base64. */
const kept = JSON.parse(readFileSync(new URL('kept-inputs.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, readonly { readonly why: string; readonly input: string }[]>
>;

/** Inputs of all long runs together. */
const inputsLong = 1_000_000;

const run = new FuzzRun();
afterAll(() => run.close());

const told = (faults: readonly FuzzFault[]): string[] =>
  faults.map(({ target, number, what, input }) => `${target} #${number}: ${what}\n${input.slice(0, 2000)}`);

describe('a parser of what comes from outside', () => {
  it('is fuzzed with a million inputs in the long form', () => {
    expect(fuzzTargets.reduce((sum, { long }) => sum + long, 0)).toBeGreaterThanOrEqual(inputsLong);
    expect(new Set(fuzzTargets.map(({ name }) => name)).size).toBe(fuzzTargets.length);
  });

  it.each(fuzzTargets)(
    'gives a value or a SpiralError for any damage, in bounded time and memory: $name',
    {
      timeout: lawRuns(300_000, 7_200_000),
    },
    async ({ name, ci, long }) => {
      const count = lawRuns(ci, long);
      const report = await run.run({ target: name, from: 0, to: count });
      expect(told(report.faults)).toEqual([]);
      expect(report.accepted + report.refused).toBe(count);
      // Damage that nobody notices, or that nothing gets past, would test nothing.
      expect(report.refused).toBeGreaterThan(0);
    },
  );

  it.each(Object.keys(kept))('stands what it once did not: %s', { timeout: 300_000 }, async (name) => {
    const inputs = kept[name]!.map(({ input }) => input);
    expect(fuzzTargets.map((target) => target.name)).toContain(name);
    const report = await run.run({ target: name, from: 0, to: inputs.length, inputs });
    expect(told(report.faults)).toEqual([]);
  });
});
