/** `npm run soak`: loaders and writers over a store that fails, killed at random; see docs/reliability.md. */
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { randomStream, uniqueId } from '../../src/core/random.js';
import { every, monotonicMs } from '../../src/core/runtime.js';
import { badLine } from '../../test/storage/bad-line.js';
import { aliveMs, bytesAlive } from './bytes-alive.js';
import type { BytesAt, Sample } from './crew.js';
import type { SoakSettings } from './settings.js';
import { soak } from './soak.js';
import { memoryBreaches, memoryTrends, summary } from './summary.js';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly store?: string;
  readonly folder?: string;
  readonly writers: number;
  readonly slots: number;
  readonly groups: number;
  readonly world: number;
  readonly keeper: boolean;
  readonly killSeconds: number;
  readonly pauseMs: number;
  readonly line: number;
  readonly out?: string;
  readonly sabotage?: 'lost-commit';
}

const options = new Command('soak')
  .description('Runs loaders and writers over a store that fails, kills them, and checks every row and commit.')
  .option('--minutes <number>', 'how long', Number, 30)
  .option('--seed <number>', 'of faults, kills and everything that is drawn', Number, 1)
  .option('--store <uri>', 'an empty folder for the table, such as s3://bucket/folder; default: a temporary one')
  .option('--folder <path>', 'for journals and states, kept afterwards; default: a temporary one')
  .option('--writers <number>', 'processes that write', Number, 3)
  .option('--slots <number>', 'keys of each writer', Number, 4000)
  .option('--groups <number>', 'groups of loaders', Number, 2)
  .option('--world <number>', 'ranks of each group, at most', Number, 3)
  .option('--no-keeper', 'nobody compacts and vacuums')
  .option('--kill-seconds <number>', 'between two kills, on average; 0: none', Number, 8)
  .option('--pause-ms <number>', 'between two commits of a writer, at most', Number, 600)
  .option('--line <share>', 'of requests and answers that break on the wire to an S3 server', Number, 0.01)
  .option('--out <path>', 'writes the summary there, too')
  .addOption(new Option('--sabotage <what>', 'to see that it is noticed').choices(['lost-commit']))
  .parse()
  .opts<Options>();

const folder = options.folder ?? join(tmpdir(), uniqueId('spiral-soak-'));
const settings: SoakSettings = {
  uri: options.store ?? join(folder, 'warehouse'),
  folder: join(folder, 'journals'),
  seed: options.seed,
  runMs: options.minutes * 60_000,
  writers: options.writers,
  slots: options.slots,
  groups: options.groups,
  worldSize: options.world,
  keeper: options.keeper,
  killMs: options.killSeconds * 1000,
  pauseMs: options.pauseMs,
  sabotage: options.sabotage,
};
// To S3 connections break for real: what the processes take for the server is a line to it that cuts requests and answers.
const endpoint = process.env['AWS_ENDPOINT_URL_S3'];
const line =
  /^s3:/i.test(settings.uri) && endpoint !== undefined && options.line > 0
    ? await badLine(endpoint, randomStream('line', settings.seed), options.line)
    : undefined;
if (line !== undefined) process.env['AWS_ENDPOINT_URL_S3'] = line.url;
const beginMs = monotonicMs();
const own = { name: 'the soak itself', samples: [] as Sample[], alive: [] as BytesAt[] };
const stops = [
  every(2000, () => own.samples.push({ ms: monotonicMs() - beginMs, rss: process.memoryUsage.rss(), threads: 0 })),
  every(aliveMs, () => own.alive.push({ ms: monotonicMs() - beginMs, bytes: bytesAlive() })),
];
const crew = await soak(settings);
for (const stop of stops) stop();
if (line !== undefined) crew.counts.set('connections broken on the wire', line.broken());
await line?.[Symbol.asyncDispose]();
const trends = [...crew.places.filter(({ isMortal }) => !isMortal), own].flatMap((place) => memoryTrends(place) ?? []);
for (const text of memoryBreaches(trends)) crew.breach(text);
const text = summary(crew, trends, (monotonicMs() - beginMs) / 60_000);
console.log(text);
if (options.out !== undefined) await writeFile(options.out, text);
if (options.folder === undefined && crew.breaches.length === 0) await rm(folder, { recursive: true, force: true });
else console.log(`Journals and states are in ${folder}.`);
process.exitCode = crew.breaches.length === 0 ? 0 : 1;
