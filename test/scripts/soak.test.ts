import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Evidence } from '../../scripts/soak/evidence.js';
import { StoryModel } from '../../scripts/soak/story.js';
import { memoryBreaches, memoryTrends } from '../../scripts/soak/summary.js';
import { type LedgerEntry, ledgerBreaches, snapshotBreaches } from '../../scripts/soak/verify.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';

const size = { writers: 2, slots: 300 };
const steps = [40, 25];
const models = steps.map((_, writer) => new StoryModel(9, writer, size.slots));
const places = Array.from({ length: size.writers * (size.slots + 1) }, (_, at) => at);

/** What a faultless snapshot after `steps` gives, its rows dealt to `ranks` ranks. */
function snapshot(ranks = 1): Evidence[] {
  const all = Array.from({ length: ranks }, () => new Evidence(size));
  for (const [writer, step] of steps.entries()) {
    const { main, note } = models[writer]!.go(step);
    for (let slot = 0; slot <= size.slots; slot++) {
      if (main[slot] === 0 && note[slot] === 0) continue;
      const of = (value: number): Int32Array => Int32Array.of(value);
      const row = { writer: of(writer), slot: of(slot), step: of(main[slot]!), note: of(note[slot]!), wrong: [] };
      expect(all[slot % ranks]!.add(row)).toEqual([]);
    }
  }
  return all;
}

describe('what a soak finds wrong with a snapshot', () => {
  it('is nothing where every row came once, as it was', () => {
    const [first, second] = snapshot(2);
    expect(first!.merge(second!)).toEqual([]);
    expect(snapshotBreaches(first!, models, steps, true)).toEqual([]);
    expect(snapshotBreaches(first!, models, [39, 0])).toEqual([]);
  });

  it('is any row that is missing, came twice, or is that of another step', () => {
    const [evidence] = snapshot();
    const { count, main, note } = evidence!;
    for (const at of places) {
      const was = [count[at]!, main[at]!, note[at]!] as const;
      if (was[0] === 0) [count[at], main[at]] = [1, 1];
      else if (at % 3 === 0) count[at] = 0;
      else if (at % 3 === 1) count[at] = 2;
      else note[at] = was[2] + 1;
      expect(snapshotBreaches(evidence!, models, steps), `place ${at}`).not.toEqual([]);
      [count[at], main[at], note[at]] = was;
    }
    expect(snapshotBreaches(evidence!, models, steps)).toEqual([]);
    const [twice] = snapshot();
    expect(evidence!.merge(twice!)).toHaveLength(twice!.count.filter((times) => times > 0).length);
  });

  it('is a step that was acknowledged and is not there', () => {
    expect(snapshotBreaches(snapshot()[0]!, models, [41, 25])).toEqual([
      'writer 0 had step 41 acknowledged, and the snapshot has step 40',
    ]);
    expect(snapshotBreaches(snapshot()[0]!, models, [39, 25], true)).toHaveLength(1);
  });
});

describe('what a soak finds wrong with a history', () => {
  const history = (): LedgerEntry[] =>
    Array.from({ length: 30 }, (_, at) => ({ version: at + 1, time: 100 * at, author: at % 3 === 0 ? 'keeper' : 'w' }));
  const made = new Map([['w', 20]]);

  it('is nothing where versions and times rise and each author made its commits, told once or twice', () => {
    expect(ledgerBreaches([...history(), ...history().slice(0, 7)], made)).toEqual([]);
  });

  it('is a version that is missing, an order of times, an author, or a commit too few or too many', () => {
    const [first, ...others] = history();
    for (const wrong of [
      others,
      history().filter(({ version }) => version !== 5),
      history().map((commit) => (commit.version === 9 ? { ...commit, time: 700 } : commit)),
      [...history(), { ...first!, author: 'w' }],
      [...history(), { version: 31, time: 9000, author: 'w' }],
    ]) {
      expect(ledgerBreaches(wrong, made)).not.toEqual([]);
    }
  });
});

describe('what a soak finds wrong with memory', () => {
  const MiB = 2 ** 20;
  const judged = (rss: (at: number) => number, alive: (at: number) => number = () => 30): string[] => {
    const samples = Array.from({ length: 600 }, (_, at) => ({ ms: at * 2000, rss: rss(at) * MiB, threads: 9 }));
    const left = Array.from({ length: 40 }, (_, at) => ({ ms: at * 30_000, bytes: alive(at) * MiB }));
    return memoryBreaches([memoryTrends({ name: 'writer 0', samples, alive: left })!]);
  };

  it('is nothing where it goes up and down, or grows only at first', () => {
    expect(judged((at) => 200 + 80 * (at % 7))).toEqual([]);
    expect(judged((at) => (at < 150 ? 100 + at : 250))).toEqual([]);
    expect(
      judged(
        () => 200,
        (at) => (at < 10 ? 20 + at : 30 + 3 * (at % 2)),
      ),
    ).toEqual([]);
  });

  it('is what a process gains over time, of RSS or of what is left after collections', () => {
    expect(judged((at) => 200 + at / 10)).toEqual([expect.stringContaining('of RSS')]);
    expect(
      judged(
        () => 200,
        (at) => 30 + at / 3,
      ),
    ).toEqual([expect.stringContaining('that no collection takes away')]);
  });
});

/** Runs the script; its exit code and what it said. */
async function soak(...args: string[]): Promise<{ code: number; said: string }> {
  await using folder = await temporaryFolder();
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const small = ['--slots', '200', '--world', '2', '--pause-ms', '50', '--folder', folder.path];
  const command = [...typescript, 'scripts/soak/main.ts', ...small, ...args];
  return await new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

describe('a soak', () => {
  it('of seconds, with a process killed, finds nothing wrong', async () => {
    const { code, said } = await soak('--minutes', '0.06', '--writers', '1', '--groups', '1', '--kill-seconds', '1');
    expect(code, said).toBe(0);
    expect(said).toMatch(/\| breaches \| 0 \|/);
    expect(said).toMatch(/\| epochs \| [1-9]/);
  }, 300_000);

  it('notices a commit that is acknowledged and not made', async () => {
    const nobodyElse = ['--writers', '1', '--groups', '0', '--no-keeper'];
    const { code, said } = await soak('--minutes', '0', ...nobodyElse, '--sabotage', 'lost-commit');
    expect(code, said).toBe(1);
    expect(said).toContain('in the history: writer 0 had');
    expect(said).toContain('in the end: row 0/');
  }, 300_000);
});
