import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { typescript } from '../typescript.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const batchSize = 32;
const rows = 1920;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-parquet-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the example over one epoch, with map workers; interrupts it when `file` is there. */
async function train(file?: string): Promise<{ code: number | null; output: string }> {
  const options = {
    dir: folder,
    epochs: 1,
    'batch-size': batchSize,
    hidden: 16,
    rows,
    'test-rows': 200,
    'checkpoint-every': 5,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [...typescript, 'examples/training/parquet.ts', ...args], { cwd: root });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (file !== undefined && child.exitCode === null && !existsSync(file)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (file !== undefined) child.kill('SIGINT');
  return { code: await ended, output };
}

it('the Parquet example, interrupted and run again, goes on at the next step, learns and ends well', async () => {
  const first = await train(join(folder, 'run.checkpoint'));
  expect([first.code, first.output]).toEqual([130, expect.stringMatching(/Stopped at step \d+\./)]);
  const stopped = /Stopped at step (\d+)/.exec(first.output)![1]!;
  const { code, output } = await train();
  expect([code, output]).toEqual([0, expect.stringContaining(`Going on at step ${stopped}, in epoch 1.`)]);
  // Every image but those held out was trained on, in the two runs together.
  expect(output).toContain(`  step ${(rows * 0.9) / batchSize}  loss `);
  expect(output).toContain('accuracy on images held out: ');
  // Untrained it is about 10 %.
  expect(Number(/test accuracy: ([\d.]+) %/.exec(output)![1])).toBeGreaterThan(25);
});

it('the Parquet example refuses to go on over a file that has changed', async () => {
  const part = join(folder, `train_${rows}`, 'part-000.parquet');
  await utimes(part, new Date(0), new Date(0));
  const { code, output } = await train();
  expect([code, output]).toEqual([1, expect.stringContaining('state_mismatch')]);
});
