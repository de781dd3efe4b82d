import { mkdir } from 'node:fs/promises';
import type { Table } from '../../src/client/table.js';
import { randomStream } from '../../src/core/random.js';
import { every, monotonicMs, sleep } from '../../src/core/runtime.js';
import { checkedRows } from './checked-rows.js';
import { Crew } from './crew.js';
import { Journal } from './durable-file.js';
import { Evidence } from './evidence.js';
import { Group } from './group.js';
import { keeperJournal } from './keeper.js';
import { livedSleep } from './lived-time.js';
import { roleName, type SoakSettings } from './settings.js';
import { SoakWarehouse } from './soak-warehouse.js';
import { StoryModel } from './story.js';
import { type LedgerEntry, ledgerBreaches, snapshotBreaches } from './verify.js';
import { type WriterEntry, writerJournal } from './writer.js';

/** Milliseconds between two lines that say how it goes. */
const tellMs = 20_000;

/** Steps of each writer without which a soak, however short, says nothing. */
const stepsMin = 5;

/** Runs a soak to its end; the crew then knows what happened, and what went wrong. */
export async function soak(settings: SoakSettings): Promise<Crew> {
  await mkdir(settings.folder, { recursive: true });
  const random = randomStream('soak', settings.seed);
  const crew = new Crew(settings, random);
  const warehouse = new SoakWarehouse(settings.uri, 'soak');
  const table = await warehouse.makeTable();
  const acknowledged = new Array<number>(settings.writers).fill(0);
  // The first of each kind is left alone, so that what its memory does over time shows.
  for (let writer = 0; writer < settings.writers; writer++) crew.add({ kind: 'writer', writer }, writer > 0);
  if (settings.keeper) crew.add({ kind: 'keeper' }, true);
  const groups = Array.from({ length: settings.groups }, (_, number) => new Group(crew, number, number > 0));
  crew.onReady = (place) => {
    for (const group of groups) if (group.places.includes(place)) group.welcome(place);
  };
  crew.onReport = (place, report) => {
    if (report.kind === 'acknowledged')
      acknowledged[report.writer] = Math.max(report.step, acknowledged[report.writer]!);
    else for (const group of groups) if (group.places.includes(place)) group.finish(place, report.leg, report.state);
  };
  const isDone = (): boolean => acknowledged.every((step) => step >= stepsMin);
  const isOver = (): boolean => crew.breaches.length > 0 || (crew.time.ms >= settings.runMs && isDone());
  const stopTelling = every(tellMs, () => tell(crew));
  for (const place of crew.places) place.start();
  await Promise.all([
    untilOver(isOver),
    killing(crew, isOver),
    ...groups.map((group) => reading(crew, group, { isOver, warehouse, table, acknowledged })),
  ]);
  await Promise.all(crew.places.map((place) => place.stop()));
  stopTelling();
  crew.time.stop();
  await checkAll(crew, warehouse, table);
  await warehouse.close();
  return crew;
}

interface Reading {
  readonly isOver: () => boolean;
  readonly warehouse: SoakWarehouse;
  readonly table: Table;
  readonly acknowledged: readonly number[];
}

/** Milliseconds that the last round may take once all is over. */
const roundMsMax = 240_000;

/** Has a group read round after round, at least one. */
async function reading(crew: Crew, group: Group, { isOver, warehouse, table, acknowledged }: Reading): Promise<void> {
  // Before that there is nothing to read.
  while (acknowledged.some((step) => step === 0) && !isOver()) await sleep(50);
  const finished = new AbortController();
  const rounds = async (): Promise<void> => {
    let number = 0;
    do await group.run(number++, warehouse, table, [...acknowledged]);
    while (!isOver());
  };
  const tooLate = async (): Promise<void> => {
    while (!isOver()) await sleep(100, finished.signal);
    if (crew.breaches.length > 0) return;
    await livedSleep(roundMsMax, finished.signal);
    crew.breach(`a round was not finished ${roundMsMax / 1000} s after the soak was over`);
  };
  try {
    await Promise.race([rounds(), tooLate().catch(() => {})]);
  } finally {
    finished.abort();
  }
}

async function untilOver(isOver: () => boolean): Promise<void> {
  while (!isOver()) await sleep(100);
}

/** Kills processes at random moments, by a schedule that the seed gives. */
async function killing(crew: Crew, isOver: () => boolean): Promise<void> {
  const { killMs } = crew.settings;
  const mortal = crew.places.filter((place) => place.isMortal);
  if (killMs === 0 || mortal.length === 0) return;
  while (!isOver()) {
    const waitMs = -Math.log(1 - crew.random.unit()) * killMs;
    const untilMs = monotonicMs() + waitMs;
    while (monotonicMs() < untilMs && !isOver()) await sleep(Math.min(200, waitMs));
    if (!isOver()) mortal[crew.random.below(mortal.length)]!.kill();
  }
}

/** Checks what is there in the end: every acknowledged step, its rows, and the history. */
async function checkAll(crew: Crew, warehouse: SoakWarehouse, table: Table): Promise<void> {
  const { settings } = crew;
  const steps: number[] = [];
  for (let writer = 0; writer < settings.writers; writer++) {
    const entries = await Journal.read<WriterEntry>(writerJournal(settings.folder, writer));
    steps.push(Math.max(0, ...entries.map(({ done }) => done ?? 0)));
  }
  const evidence = new Evidence(settings);
  for await (const batch of (await warehouse.scan(table)).toRecordBatches()) {
    for (const text of evidence.add(checkedRows(batch))) crew.breach(`in the end: ${text}`);
  }
  const models = steps.map((_, writer) => new StoryModel(settings.seed, writer, settings.slots));
  for (const text of snapshotBreaches(evidence, models, steps, true)) crew.breach(`in the end: ${text}`);
  const noted = await Journal.read<LedgerEntry>(keeperJournal(settings.folder));
  const history = [...noted, ...(await table.history())];
  const byAuthor = new Map(steps.map((step, writer) => [roleName({ kind: 'writer', writer }), step]));
  for (const text of ledgerBreaches(history, byAuthor)) crew.breach(`in the history: ${text}`);
  crew.counts.set('versions of the table in the end', Math.max(...history.map(({ version }) => version)));
  crew.counts.set(
    'rows in the end',
    evidence.count.reduce((sum, count) => sum + count, 0),
  );
}

function tell(crew: Crew): void {
  const at = Math.round(crew.time.ms / 1000);
  const kills = crew.places.reduce((sum, place) => sum + place.kills, 0);
  const count = (name: string): number => crew.counts.get(name) ?? 0;
  process.stderr.write(
    `${at} s: ${count('commits')} commits, ${count('epochs')} epochs of ${count('rounds')} rounds, ${count('compactions')} compactions, ${kills} kills, ${crew.breaches.length} breaches\n`,
  );
}
