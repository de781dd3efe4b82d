import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { paragraphs } from '../../examples/training/tokens/corpus.js';
import { classes } from '../../examples/training/tokens/shape.js';
import { typescript } from '../typescript.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const batchSize = 32;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-tokens-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the example over one epoch, with map workers; interrupts it when `file` is there. */
async function train(file?: string): Promise<{ code: number | null; output: string }> {
  const options = { dir: folder, epochs: 1, 'batch-size': batchSize, hidden: 8, 'checkpoint-every': 5 };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [...typescript, 'examples/training/tokens.ts', ...args], { cwd: root });
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

it('the tokens example, interrupted and run again, goes on at the next step, learns and ends well', async () => {
  const first = await train(join(folder, 'run.checkpoint'));
  expect([first.code, first.output]).toEqual([130, expect.stringMatching(/Stopped at step \d+\./)]);
  const stopped = /Stopped at step (\d+)/.exec(first.output)![1]!;
  const { code, output } = await train();
  expect([code, output]).toEqual([0, expect.stringContaining(`Going on at step ${stopped}, in epoch 1.`)]);
  // Every paragraph was trained on, in the two runs together.
  const steps = Math.ceil(paragraphs('train').length / batchSize);
  expect(output).toContain(`  step ${steps}  loss `);
  const loss = Number(/test loss: ([\d.]+) nats/.exec(output)![1]);
  // Untrained, every token is as likely as any other.
  expect(loss).toBeLessThan(Math.log(classes) * 0.95);
});
