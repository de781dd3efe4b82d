/**
 * `npm run bench`: runs every benchmark, prints and keeps the results. `npm run bench -- loader/shuffle` runs those whose
 * name begins so; `--quick` tries them out and keeps nothing; `--check` ends with 1 where a figure is missed;
 * `--profile` has every side write a CPU profile.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { catalogue } from './catalogue.js';
import { type ComparisonResult, compare } from './comparison.js';
import { dataFolder } from './data/data-set.js';
import { machine } from './machine.js';
import { installPeers } from './peers.js';
import { type DatedResult, withResults } from './report.js';
import { forkSide } from './side-process.js';

const resultsFile = fileURLToPath(new URL('results/latest.json', import.meta.url));
const documentFile = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

const entries = catalogue.filter(
  ({ name }) => positionals.length === 0 || positionals.some((start) => name === start || name.startsWith(`${start}/`)),
);
if (entries.length === 0) {
  console.error(`No benchmark is named so. There are:\n${catalogue.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}

installPeers();
const chosen = await Promise.all(entries.map(({ load }) => load()));
for (const [at, { name }] of chosen.entries()) {
  if (name !== entries[at]!.name) throw new Error(`The catalogue has '${name}' as '${entries[at]!.name}'.`);
}
await makeData();
console.log(`${machine()}, ${new Date().toISOString()}`);
const results: DatedResult[] = [];
for (const benchmark of chosen) {
  console.log(`\n${benchmark.name}: ${benchmark.work}`);
  const settings = { quick: values.quick, rounds: values.quick ? 2 : 5, profile: values.profile };
  const result = await compare(benchmark, settings);
  results.push({ ...result, date: new Date().toISOString(), machine: machine() });
  print(result);
}
rmSync(dataFolder, { recursive: true, force: true });
if (!values.quick && !values.profile) keep();
const missed = results.flatMap(({ name, figures }) =>
  figures.filter(({ reached }) => !reached).map(({ text }) => `${name}: ${text}`),
);
if (missed.length > 0) console.log(`\nMissed:\n${missed.map((line) => `  ${line}`).join('\n')}`);
if (values.check && missed.length > 0) process.exitCode = 1;

/** Makes the data sets of the chosen benchmarks anew, each in a process of its own. */
async function makeData(): Promise<void> {
  rmSync(dataFolder, { recursive: true, force: true });
  mkdirSync(dataFolder, { recursive: true });
  for (const { name } of new Set(chosen.flatMap(({ data }) => data))) {
    const [code] = await once(forkSide(['--data', name, ...(values.quick ? ['--quick'] : [])]), 'exit');
    if (code !== 0) throw new Error(`The data set '${name}' could not be made.`);
  }
}

function print({ sides, figures }: ComparisonResult): void {
  console.table(
    Object.fromEntries(
      sides.map((side) => [
        side.name,
        {
          'rows/s': side.rowsPerSecond === null ? null : Math.round(side.rowsPerSecond),
          'MB/s': side.megabytesPerSecond === null ? null : Math.round(side.megabytesPerSecond),
          'p50 µs': rounded(side.nextP50Us),
          'p99 µs': rounded(side.nextP99Us),
          'wait %': side.waitShare === null ? null : Math.round(side.waitShare * 100),
          'RSS MB': side.peakRssBytes === null ? null : Math.round(side.peakRssBytes / 1e6),
          'held MB': side.heldBytes === null ? null : rounded(side.heldBytes / 1e6),
        },
      ]),
    ),
  );
  const measured = sides.filter(({ values = {} }) => Object.keys(values).length > 0);
  if (measured.length > 0) console.table(Object.fromEntries(measured.map(({ name, values }) => [name, values])));
  for (const { name, error } of sides) if (error !== null) console.log(`${name} did not run: ${error}`);
  for (const { text, found, reached } of figures) {
    console.log(`${reached ? 'reached' : 'MISSED '} ${text}: ${found === null ? 'not measured' : found.toFixed(2)}`);
  }
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}

/** Puts the results in the place of older ones of the same benchmarks, in the file and in the document. */
function keep(): void {
  const older: DatedResult[] = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : [];
  const all = catalogue.flatMap(({ name }) => [...results, ...older].find((one) => one.name === name) ?? []);
  mkdirSync(fileURLToPath(new URL('results', import.meta.url)), { recursive: true });
  writeFileSync(resultsFile, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(documentFile, withResults(readFileSync(documentFile, 'utf8'), all));
}
