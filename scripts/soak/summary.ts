import { availableParallelism } from 'node:os';
import { quantile } from '../../bench/quantile.js';
import { slope } from '../../bench/slope.js';
import { type BytesAt, type Crew, mallocArenas, type Place, youngHeapMiB } from './crew.js';
import { soakFaults } from './soak-warehouse.js';

/** How a process's memory went, one kind of it. */
export interface MemoryTrend {
  /** Minutes that were looked at: the last two thirds of the life. */
  readonly minutes: number;
  readonly medianMiB: number;
  readonly maxMiB: number;
  readonly mibPerMinute: number;
}

/** How the memory of a process went that was never killed. */
export interface MemoryTrends {
  readonly name: string;
  readonly rss: MemoryTrend;
  /** What was left after collections; undefined for one that told it too seldom. */
  readonly alive: MemoryTrend | undefined;
  readonly threads: number;
}

const MiB = 2 ** 20;
/** Minutes of a trend below which it says more about warming up than about leaks. */
const judgedMinutes = 4;
/**
 * What a process may gain within the minutes looked at, beyond which its memory is not flat: what is left after collections, and
 * RSS, which goes by what is still to be collected, and by how the system's allocator fills its gaps.
 */
const aliveGainMiBMax = 6;
const rssGainMiBMax = 24;

/** How the memory of the process in `place` went; undefined for one that has just begun. */
export function memoryTrends({
  name,
  samples,
  alive,
}: Pick<Place, 'name' | 'samples' | 'alive'>): MemoryTrends | undefined {
  const rss = memoryTrend(lows(samples.map((sample) => ({ ms: sample.ms, bytes: sample.rss }))));
  if (rss === undefined) return undefined;
  const threads = Math.max(...samples.map((sample) => sample.threads));
  return { name, rss, alive: memoryTrend(alive), threads };
}

/** The least of each minute: what threads of a pass take for seconds, and what is still to be collected, is no gain. */
function lows(samples: readonly BytesAt[]): BytesAt[] {
  const byMinute = new Map<number, BytesAt>();
  for (const sample of samples) {
    const minute = Math.floor(sample.ms / 60_000);
    const least = byMinute.get(minute);
    if (least === undefined || sample.bytes < least.bytes) byMinute.set(minute, sample);
  }
  return [...byMinute.values()];
}

function memoryTrend(samples: readonly BytesAt[]): MemoryTrend | undefined {
  const begin = samples[0]?.ms ?? 0;
  const end = samples.at(-1)?.ms ?? 0;
  const late = samples.filter(({ ms }) => ms >= begin + (end - begin) / 3);
  if (late.length < 3) return undefined;
  const minutes = late.map(({ ms }) => ms / 60_000);
  const mib = late.map(({ bytes }) => bytes / MiB);
  return {
    minutes: minutes.at(-1)! - minutes[0]!,
    medianMiB: quantile(mib, 0.5),
    maxMiB: Math.max(...mib),
    mibPerMinute: slope(minutes, mib),
  };
}

/** What is not flat in the memory of a process that lived long. */
export function memoryBreaches(trends: readonly MemoryTrends[]): string[] {
  return trends.flatMap(({ name, rss, alive }) => [
    ...gained(`${name} gained`, rss, rssGainMiBMax, 'of RSS'),
    ...gained(`${name} gained`, alive, aliveGainMiBMax, 'that no collection takes away'),
  ]);
}

function gained(who: string, trend: MemoryTrend | undefined, gainMiBMax: number, what: string): string[] {
  const { minutes, mibPerMinute } = trend ?? { minutes: 0, mibPerMinute: 0 };
  const gain = minutes * mibPerMinute;
  if (minutes < judgedMinutes || gain <= gainMiBMax) return [];
  return [`${who} ${gain.toFixed(0)} MiB ${what} in ${minutes.toFixed(1)} minutes, more than ${gainMiBMax}`];
}

/** What happened, as markdown. */
export function summary(crew: Crew, trends: readonly MemoryTrends[], minutes: number): string {
  const { settings } = crew;
  const { failShare, loseAnswerShare, truncateShare, delayMsMax, spikeShare, spikeMs } = soakFaults;
  const kills = crew.places.filter(({ kills }) => kills > 0).map(({ name, kills }) => `${name}: ${kills}`);
  const store = /^[a-z0-9]+(?=:\/\/)/.exec(settings.uri)?.[0] ?? 'files';
  const facts: [string, string | number][] = [
    ['store', store],
    ['minutes, those stopped left out', `${minutes.toFixed(1)}, ${(crew.time.ms / 60_000).toFixed(1)}`],
    ['Node.js, cores', `${process.version}, ${availableParallelism()}`],
    ['MALLOC_ARENA_MAX, half of the young heap', `${mallocArenas}, ${youngHeapMiB} MiB`],
    ['seed', settings.seed],
    ['writers, loaders', `${settings.writers}, ${settings.groups} groups of up to ${settings.worldSize} ranks`],
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
  lines.push(
    '| process | minutes | RSS, least of each minute: median MiB | most | slope, MiB a minute | alive, median MiB | most | slope | threads, most |',
  );
  lines.push('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const { name, rss, alive, threads } of trends) {
    lines.push(`| ${[name, rss.minutes.toFixed(1), ...figures(rss), ...figures(alive), threads].join(' | ')} |`);
  }
  if (crew.breaches.length > 0)
    lines.push('', '## Breaches', '', ...crew.breaches.slice(0, 50).map((text) => `* ${text}`));
  return `${lines.join('\n')}\n`;
}

function figures(trend: MemoryTrend | undefined): string[] {
  if (trend === undefined) return ['', '', ''];
  return [trend.medianMiB.toFixed(0), trend.maxMiB.toFixed(0), trend.mibPerMinute.toFixed(2)];
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
