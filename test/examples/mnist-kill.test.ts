import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCheckpoint } from 'spiral-loader/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RandomStream, randomStream } from '../../src/core/random.js';
import { lawRuns } from '../laws.js';
import { typescript } from '../typescript.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rows = 1500;
const batchSize = 32;
const epochs = 3;
const steps = epochs * Math.ceil(rows / batchSize);

let folder: string;
let reference: { lines: string[]; weights: Buffer };

/** How one process of the example ended, and the lines `step id id …` of the steps it has trained. */
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly lines: string[];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-mnist-'));
  const dir = join(folder, 'reference');
  const { code, output, lines } = await train(dir, 0);
  expect([code, output]).toEqual([0, expect.stringMatching(/test accuracy: [\d.]+ %\ndata wait: [\d.]+ %\n$/)]);
  reference = { lines, weights: await readFile(join(dir, 'weights')) };
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the example until it ends, or sends it a signal when it has trained `after` steps or, with none, at startup. */
async function train(
  dir: string,
  run: number,
  stop?: { signal: NodeJS.Signals; after: number; wait: number },
): Promise<Ended> {
  const log = join(folder, `${dir.split('/').at(-1)}-${run}.ids`);
  const options = { dir, rows, epochs, 'batch-size': batchSize, 'test-rows': 500, hidden: 16, 'checkpoint-every': 7 };
  const args = Object.entries({ ...options, 'ids-log': log, 'weights-out': join(dir, 'weights') });
  const child = spawn(
    process.execPath,
    [...typescript, 'examples/training/mnist.ts', ...args.flatMap(([name, value]) => [`--${name}`, String(value)])],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += String(chunk)));
  child.stderr!.on('data', (chunk: Buffer) => (output += String(chunk)));
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (code, signal) => resolve([code, signal]));
  });
  if (stop !== undefined) await stopAt(child, log, stop);
  const [code, signal] = await ended;
  const text = existsSync(log) ? await readFile(log, 'utf8') : '';
  return { code, signal, output, lines: text.split('\n').slice(0, -1) };
}

async function stopAt(child: ChildProcess, log: string, stop: { signal: NodeJS.Signals; after: number; wait: number }) {
  const lineBytesMin = 2 * batchSize;
  while (child.exitCode === null && stop.after > 0) {
    const size = existsSync(log) ? (await stat(log)).size : 0;
    if (size > stop.after * lineBytesMin * 2) break;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await new Promise((resolve) => setTimeout(resolve, stop.wait));
  child.kill(stop.signal);
}

/** A point to stop at: mostly some steps after the first, now and then while all is being set up. */
function drawStop(
  stream: RandomStream,
  signal: NodeJS.Signals,
): { signal: NodeJS.Signals; after: number; wait: number } {
  if (stream.below(4) === 0) return { signal, after: 0, wait: stream.below(2500) };
  return { signal, after: 1 + stream.below(Math.floor(steps / 4)), wait: stream.below(20) };
}

const stepOf = (line: string): number => Number(line.slice(0, line.indexOf(' ')));

/** Step at which the next process will begin: that of the last durable checkpoint. */
async function durableStep(dir: string): Promise<number> {
  const checkpoint = await loadCheckpoint(join(dir, 'run.checkpoint'));
  return checkpoint === undefined ? 0 : (checkpoint.loader as { step: number }).step;
}

/** Starts the example again and again, stopping it `stops` times, until it is through; returns the lines that count. */
async function trainWithStops(dir: string, stream: RandomStream, signal: NodeJS.Signals, stops: number) {
  const kept: string[] = [];
  let stopped = 0;
  for (let run = 0; ; run++) {
    const begin = await durableStep(dir);
    const ended = await train(dir, run, stopped < stops ? drawStop(stream, signal) : undefined);
    const next = await durableStep(dir);
    if (ended.lines.length > 0) expect(stepOf(ended.lines[0]!)).toBe(begin);
    kept.push(...ended.lines.filter((line) => stepOf(line) < next));
    if (ended.code === 0) return { kept, stopped, weights: await readFile(join(dir, 'weights')) };
    if (signal === 'SIGINT' && ended.lines.length > 0) {
      expect([ended.code, ended.output]).toEqual([130, expect.stringContaining('Run again to go on')]);
      expect(next).toBe(stepOf(ended.lines.at(-1)!) + 1);
    } else {
      expect([ended.signal, ended.code, ended.output]).toEqual([
        ended.code === 130 ? null : signal,
        ended.code === 130 ? 130 : null,
        expect.any(String),
      ]);
    }
    stopped++;
  }
}

/** Runs the example to its end as often as it takes to stop it `wanted` times, each time with the reference's result. */
async function lawOfStops(signal: NodeJS.Signals, wanted: number): Promise<void> {
  const stream = randomStream('mnist-kill', signal);
  for (let stopped = 0, round = 0; stopped < wanted; round++) {
    const dir = join(folder, `${signal}-${round}`);
    const ended = await trainWithStops(dir, stream, signal, Math.min(6, wanted - stopped));
    stopped += ended.stopped;
    expect(ended.kept).toEqual(reference.lines);
    expect(ended.weights.equals(reference.weights)).toBe(true);
  }
}

describe('the MNIST example', () => {
  it('trains on each image once an epoch, in another order each time', () => {
    const ids = reference.lines.map((line) => line.split(' ').slice(1).map(Number));
    const epochsSeen = Array.from({ length: epochs }, (_, epoch) =>
      ids.slice((epoch * steps) / epochs, ((epoch + 1) * steps) / epochs).flat(),
    );
    const all = Array.from({ length: rows }, (_, id) => id);
    expect(reference.lines.map(stepOf)).toEqual(Array.from({ length: steps }, (_, step) => step));
    for (const seen of epochsSeen) expect([...seen].sort((a, b) => a - b)).toEqual(all);
    expect(new Set(epochsSeen.map(String)).size).toBe(epochs);
  });

  it('says so where training is complete, and trains no further', async () => {
    const again = await train(join(folder, 'reference'), 1);
    expect([again.code, again.lines]).toEqual([0, []]);
    expect(again.output).toContain('Training is complete');
  });

  it('goes on from its last durable checkpoint when it is killed, to the same samples and weights', async () => {
    await lawOfStops('SIGKILL', lawRuns(5, 24));
  }, 1_800_000);

  it('goes on with the very next sample when it is interrupted', async () => {
    await lawOfStops('SIGINT', lawRuns(5, 24));
  }, 1_800_000);
});
