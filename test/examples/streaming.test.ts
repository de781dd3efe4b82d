import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { typescript } from '../typescript.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const batchSize = 32;
const rows = 1920;
const cacheKb = 512;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-streaming-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the example in `dir` over two epochs; sends it `signal` when its first checkpoint is there. */
async function train(dir: string, signal?: NodeJS.Signals): Promise<{ code: number | null; output: string }> {
  const options = {
    dir,
    epochs: 2,
    'batch-size': batchSize,
    hidden: 16,
    rows,
    'test-rows': 200,
    'checkpoint-every': 5,
    'cache-kb': cacheKb,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [...typescript, 'examples/training/streaming.ts', ...args], { cwd: root });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (signal !== undefined && child.exitCode === null && !existsSync(join(dir, 'run.checkpoint'))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (signal !== undefined) child.kill(signal);
  return { code: await ended, output };
}

it('the streaming example, killed and run again, ends with the weights of a run that was not, in its cache', async () => {
  const whole = await train(join(folder, 'whole'));
  expect([whole.code, whole.output]).toEqual([0, expect.stringMatching(/weights: \w{16}\n$/)]);
  const killed = await train(join(folder, 'killed'), 'SIGKILL');
  expect(killed.code).toBe(null);
  const { code, output } = await train(join(folder, 'killed'));
  expect([code, output]).toEqual([0, expect.stringMatching(/Going on at step \d+, in epoch \d\./)]);
  const weights = (text: string): string => /weights: (\w+)/.exec(text)![1]!;
  expect(weights(output)).toBe(weights(whole.output));
  // Half of the images fit, and what the cache keeps of its own is small.
  expect(Number(/cache: (\d+) KiB/.exec(output)![1])).toBeLessThanOrEqual(cacheKb + 32);
  // Untrained it is about 10 %.
  expect(Number(/test accuracy: ([\d.]+) %/.exec(output)![1])).toBeGreaterThan(25);
}, 300_000);
