/**
 * Runs inputs of fuzz targets for the process that forked it, and writes the number of each to a file before it begins:
 * whoever watches sees at which input it hung or died.
 */
import { openSync, writeSync } from 'node:fs';
import { isSpiralError } from '../../src/core/errors.js';
import { randomStream } from '../../src/core/random.js';
import type { FuzzTarget, OpenTarget } from './fuzz-target.js';
import { fuzzTargets } from './fuzz-targets.js';

/** Inputs `from … to` of a target: those in `inputs`, in base64, or mutated ones. */
export interface FuzzTask {
  readonly target: string;
  readonly from: number;
  readonly to: number;
  readonly inputs?: readonly string[] | undefined;
  /** Whether inputs are only made and told, each as a fault, and not parsed. */
  readonly shown?: boolean | undefined;
}

/** An input that must not have done what it did. */
export interface FuzzFault {
  readonly target: string;
  readonly number: number;
  readonly what: string;
  /** In base64. */
  readonly input: string;
}

/** What became of the inputs of a task. */
export interface FuzzReport {
  readonly accepted: number;
  readonly refused: number;
  readonly faults: readonly FuzzFault[];
  /** Milliseconds of a processor that the slowest input took, and its number: what a machine does besides does not count. */
  readonly slowestMs: number;
  readonly slowest: number;
  readonly codes: Readonly<Record<string, number>>;
}

/** Bytes that an input may make a parser set aside, besides so many for each of its own. */
const allocatedBytesMax = 64 * 1024 * 1024;
const allocatedPerByte = 256;
/** Faults of one task that are told in full. */
const faultsMax = 40;

/** Accepted, refused with a code, or a fault. */
interface Outcome {
  code?: string;
  fault?: string;
}

const opened = new Map<string, Promise<OpenTarget>>();
const beat = new Float64Array(1);
const beats = openSync(process.argv[2]!, 'w');
let stray: unknown;
process.on('unhandledRejection', (reason) => {
  stray ??= reason;
});
process.on('message', (task: FuzzTask) => {
  run(task).then(
    (report) => process.send!(report),
    (error: unknown) => process.send!(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
});

async function run({ target: name, from, to, inputs, shown }: FuzzTask): Promise<FuzzReport> {
  const target = fuzzTargets.find((one) => one.name === name)!;
  let opening = opened.get(name);
  if (opening === undefined) opened.set(name, (opening = opensWhole(target)));
  const open = await opening;
  const report = { accepted: 0, refused: 0, faults: [] as FuzzFault[], slowestMs: 0, slowest: 0 };
  const codes: Record<string, number> = {};
  for (let number = from; number < to; number++) {
    beat[0] = number;
    writeSync(beats, new Uint8Array(beat.buffer), 0, 8, 0);
    const kept = inputs?.[number];
    const input = kept === undefined ? open.input(randomStream('fuzz', name, number)) : Buffer.from(kept, 'base64');
    const begin = process.cpuUsage();
    const outcome: Outcome = shown === true ? { fault: 'shown' } : await outcomeOf(open, input);
    const { user, system } = process.cpuUsage(begin);
    const ms = (user + system) / 1000;
    if (ms > report.slowestMs) Object.assign(report, { slowestMs: ms, slowest: number });
    if (outcome.fault === undefined) {
      report[outcome.code === undefined ? 'accepted' : 'refused']++;
      if (outcome.code !== undefined) codes[outcome.code] = (codes[outcome.code] ?? 0) + 1;
    } else if (report.faults.length < faultsMax) {
      report.faults.push({ target: name, number, what: outcome.fault, input: Buffer.from(input).toString('base64') });
    }
  }
  return { ...report, codes };
}

/** What is not damaged must be accepted, or damaging it shows nothing. */
async function opensWhole(target: FuzzTarget): Promise<OpenTarget> {
  const open = await target.open();
  for (const [at, seed] of open.seeds.entries()) {
    await open.parse(new Uint8Array(seed)).catch((cause: unknown) => {
      throw new Error(`Seed ${at} of '${target.name}' is refused: ${String(cause)}`, { cause });
    });
  }
  return open;
}

/** What became of `input`: accepted, refused with a code, or a fault. */
async function outcomeOf(open: OpenTarget, input: Uint8Array): Promise<Outcome> {
  // A copy, with nothing beside it: reading beyond its end must not find something.
  const own = new Uint8Array(input);
  const before = process.memoryUsage();
  const outcome: Outcome = {};
  try {
    await open.parse(own);
  } catch (error) {
    if (isSpiralError(error) && error.kind !== 'internal') outcome.code = error.code;
    else outcome.fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const after = process.memoryUsage();
  const allocated = Math.max(
    after.arrayBuffers - before.arrayBuffers,
    after.external - before.external,
    after.rss - before.rss,
  );
  if (allocated > allocatedBytesMax + allocatedPerByte * input.length) {
    outcome.fault = `Set aside ${allocated} bytes for an input of ${input.length}.`;
  }
  if (stray !== undefined) {
    outcome.fault = `Left a rejection unheard: ${stray instanceof Error ? stray.stack : String(stray)}`;
    stray = undefined;
  }
  return outcome;
}
