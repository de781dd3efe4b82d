import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typescript } from '../typescript.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rows = 900;
const epochs = 2;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-parallel-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the example to its end; interrupts it when it has logged `interruptAt` steps. */
async function train(name: string, args: Record<string, string | number>, interruptAt?: number) {
  const log = join(folder, `${name}.ids`);
  const options = {
    dir: join(folder, name),
    rows,
    epochs,
    'batch-size': 16,
    'test-rows': 200,
    hidden: 8,
    'ids-log': log,
  };
  const given = Object.entries({ ...options, 'checkpoint-every': 6, ...args }).flatMap(([key, value]) => [
    `--${key}`,
    String(value),
  ]);
  const child = spawn(process.execPath, [...typescript, 'examples/training/data-parallel.ts', ...given], {
    cwd: root,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (interruptAt !== undefined && child.exitCode === null && linesOf(log).length < interruptAt) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (interruptAt !== undefined) child.kill('SIGINT');
  return { code: await ended, output, lines: linesOf(log) };
}

function linesOf(log: string): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
}

/** The images of each epoch, by the steps that count: the last time that each was trained. */
function epochsOf(lines: readonly string[]): number[][] {
  const steps = new Map(lines.map((line) => line.split(' ').map(Number)).map(([step, ...ids]) => [step!, ids]));
  const ids = [...steps].sort(([a], [b]) => a - b).flatMap(([, images]) => images);
  return Array.from({ length: Math.ceil(ids.length / rows) }, (_, epoch) =>
    ids.slice(epoch * rows, (epoch + 1) * rows),
  );
}

const everyImage = Array.from({ length: rows }, (_, id) => id);

describe('the data-parallel example', () => {
  it.each([
    { ranks: 3, kill: '1@9', after: 2 },
    { ranks: 2, kill: '0@15', after: 3 },
  ])(
    'with rank $kill of $ranks killed goes on with $after, each image once an epoch',
    async ({ ranks, kill, after }) => {
      const run = await train(`kill-${ranks}`, { ranks, kill, 'ranks-after': after });
      expect([run.code, run.output]).toEqual([0, expect.stringMatching(/was lost \(SIGKILL\)[\s\S]*test accuracy/)]);
      expect(run.output).toContain(`with ${after} ranks, before ${ranks}`);
      const seen = epochsOf(run.lines);
      expect(seen.length).toBe(epochs);
      for (const ids of seen) expect([...ids].sort((a, b) => a - b)).toEqual(everyImage);
    },
    240_000,
  );

  it('interrupted and run again with more ranks goes on, each image once an epoch', async () => {
    const first = await train('stop', { ranks: 2 }, 10);
    expect([first.code, first.output]).toEqual([130, expect.stringContaining('Stopped')]);
    const second = await train('stop', { ranks: 4 });
    expect([second.code, second.output]).toEqual([0, expect.stringContaining('with 4 ranks, before 2')]);
    const seen = epochsOf(second.lines);
    expect(seen.length).toBe(epochs);
    for (const ids of seen) expect([...ids].sort((a, b) => a - b)).toEqual(everyImage);
  }, 240_000);
});
