import { availableParallelism } from 'node:os';
import { quantile } from '../../bench/quantile.js';
import { slope } from '../../bench/slope.js';
import type { Crew, Place } from './crew.js';
import { soakFaults } from './soak-warehouse.js';

/** How a process's memory went. */
export interface MemoryTrend {
  readonly name: string;
  /** Minutes that were looked at: the last two thirds of the life. */
  readonly minutes: number;
  readonly medianMiB: number;
  readonly maxMiB: number;
  readonly mibPerMinute: number;
  readonly threads: number;
}

const MiB = 2 ** 20;
/** Minutes of a trend below which it says more about warming up than about leaks. */
const judgedMinutes = 4;
/**
 * What a process may gain within the minutes looked at, beyond which its memory is not flat. Caches that are bounded fill for
 * longer than that: the footers of 4,096 opened files alone take some 25 MB, before garbage.
 */
const gainMiBMax = 48;
const gainShareMax = 0.15;

/** How the memory of the process in `place` went; undefined for one that has just begun. */
export function memoryTrend({ name, samples }: Pick<Place, 'name' | 'samples'>): MemoryTrend | undefined {
  const begin = samples[0]?.ms ?? 0;
  const end = samples.at(-1)?.ms ?? 0;
  const late = samples.filter(({ ms }) => ms >= begin + (end - begin) / 3);
  if (late.length < 3) return undefined;
  const minutes = late.map(({ ms }) => ms / 60_000);
  const mib = late.map(({ rss }) => rss / MiB);
  return {
    name,
    minutes: minutes.at(-1)! - minutes[0]!,
    medianMiB: quantile(mib, 0.5),
    maxMiB: Math.max(...mib),
    mibPerMinute: slope(minutes, mib),
    threads: Math.max(...samples.map(({ threads }) => threads)),
  };
}

/** What is not flat in the memory of a process that lived long. */
export function memoryBreaches(trends: readonly MemoryTrend[]): string[] {
  return trends.flatMap(({ name, minutes, medianMiB, mibPerMinute }) => {
    const gain = minutes * mibPerMinute;
    if (minutes < judgedMinutes || gain <= Math.max(gainMiBMax, gainShareMax * medianMiB)) return [];
    return [`${name} gained ${gain.toFixed(0)} MiB in ${minutes.toFixed(1)} minutes`];
  });
}

/** What happened, as markdown. */
export function summary(crew: Crew, trends: readonly MemoryTrend[], seconds: number): string {
  const { settings } = crew;
  const { failShare, loseAnswerShare, truncateShare, delayMsMax, spikeShare, spikeMs } = soakFaults;
  const kills = crew.places.filter(({ kills }) => kills > 0).map(({ name, kills }) => `${name}: ${kills}`);
  const store = /^[a-z0-9]+(?=:\/\/)/.exec(settings.uri)?.[0] ?? 'files';
  const facts: [string, string | number][] = [
    ['store', store],
    ['minutes', (seconds / 60).toFixed(1)],
    ['Node.js, cores', `${process.version}, ${availableParallelism()}`],
    ['seed', settings.seed],
    ['writers, loaders', `${settings.writers}, ${settings.groups} groups of ${settings.worldSize} ranks`],
    [
      'faults of the store',
      `${percent(failShare + loseAnswerShare)} errors (of them ${percent(loseAnswerShare)} after taking effect), ${percent(truncateShare)} truncations, up to ${delayMsMax} ms delay, ${percent(spikeShare)} spikes of ${spikeMs} ms`,
    ],
    ['operations of the store, and those that failed', `${crew.operations}, ${crew.failures}`],
    ['kills (SIGKILL, then started again)', kills.join(', ') || 'none'],
    ...[...crew.counts].sort(([a], [b]) => (a < b ? -1 : 1)),
    ['breaches', crew.breaches.length],
  ];
  const lines = ['| | |', '| --- | --- |', ...facts.map(([name, value]) => `| ${name} | ${value} |`), ''];
  lines.push('| process | minutes | RSS, median MiB | most MiB | slope, MiB a minute | threads, most |');
  lines.push('| --- | --- | --- | --- | --- | --- |');
  for (const { name, minutes, medianMiB, maxMiB, mibPerMinute, threads } of trends) {
    const figures = [minutes.toFixed(1), medianMiB.toFixed(0), maxMiB.toFixed(0), mibPerMinute.toFixed(2), threads];
    lines.push(`| ${name} | ${figures.join(' | ')} |`);
  }
  if (crew.breaches.length > 0)
    lines.push('', '## Breaches', '', ...crew.breaches.slice(0, 50).map((text) => `* ${text}`));
  return `${lines.join('\n')}\n`;
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
