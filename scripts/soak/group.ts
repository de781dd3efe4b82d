import { rm } from 'node:fs/promises';
import type { Table } from '../../src/client/table.js';
import { randomStream } from '../../src/core/random.js';
import { type Expr, se } from '../../src/index.js';
import type { Crew, Place } from './crew.js';
import { Evidence } from './evidence.js';
import { evidenceFile } from './rank.js';
import { headSlot, type Role, type Round } from './settings.js';
import type { SoakWarehouse } from './soak-warehouse.js';
import { StoryModel } from './story.js';
import { snapshotBreaches } from './verify.js';

/** A group of loaders that read snapshot after snapshot together, each rank in a process of its own. */
export class Group {
  readonly places: readonly Place[];
  readonly #crew: Crew;
  readonly #number: number;
  readonly #models: readonly StoryModel[];
  #round: Round | undefined;
  #missing = new Set<Place>();
  #finished: () => void = () => {};

  constructor(crew: Crew, number: number, isMortal: boolean) {
    const { seed, slots, writers, worldSize } = crew.settings;
    this.#crew = crew;
    this.#number = number;
    this.places = Array.from({ length: worldSize }, (_, rank) =>
      crew.add({ kind: 'rank', group: number, rank }, isMortal),
    );
    this.#models = Array.from({ length: writers }, (_, writer) => new StoryModel(seed, writer, slots));
  }

  /** Tells a process that was just started what is under way. */
  welcome(place: Place): void {
    if (this.#round !== undefined && this.#missing.has(place)) place.send(this.#round);
  }

  /** Hears that a process has finished a round. */
  finish(place: Place, round: number): void {
    if (round !== this.#round?.number) return;
    this.#missing.delete(place);
    if (this.#missing.size === 0) this.#finished();
  }

  /** Reads the table as it is now, and checks every epoch. `acknowledged` are the steps that it must hold. */
  async run(number: number, warehouse: SoakWarehouse, table: Table, acknowledged: readonly number[]): Promise<void> {
    const { settings } = this.#crew;
    const tag = await table.tag(`group-${this.#number}-${number}`);
    const random = randomStream('round', settings.seed, this.#number, number);
    const rest = random.below(4) === 0 ? random.below(3) : undefined;
    const where = rest === undefined ? undefined : thirdOf(table, rest, headSlot(settings));
    const scan = await warehouse.scan(table, { where, asof: tag.time });
    this.#missing = new Set(this.places);
    this.#round = {
      kind: 'round',
      number,
      scan: scan.stateJson(),
      epochs: 2,
      options: drawnOptions(random, where !== undefined, settings.slots),
    };
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    for (const place of this.places) place.send(this.#round);
    await finished;
    for (let epoch = 0; epoch < this.#round.epochs; epoch++) await this.#check(this.#round, epoch, acknowledged, rest);
    await table.untag(tag.name);
    this.#crew.count('rounds');
  }

  async #check(round: Round, epoch: number, acknowledged: readonly number[], rest: number | undefined): Promise<void> {
    const { settings } = this.#crew;
    const all = new Evidence(settings);
    const wrong: string[] = [];
    for (const place of this.places) {
      const path = evidenceFile(settings, place.role as Extract<Role, { kind: 'rank' }>, round.number, epoch);
      const found = await Evidence.load(path, settings);
      if (found === undefined) wrong.push(`${place.name} left no evidence`);
      else wrong.push(...all.merge(found.evidence));
      await rm(path, { force: true });
    }
    const head = headSlot(settings);
    const isWanted = (slot: number): boolean => rest === undefined || slot % 3 === rest || slot === head;
    wrong.push(...snapshotBreaches(all, this.#models, acknowledged, false, isWanted));
    const options = JSON.stringify(round.options);
    for (const text of wrong) {
      this.#crew.breach(`group ${this.#number}, round ${round.number}, epoch ${epoch} (${options}): ${text}`);
    }
    this.#crew.count('epochs');
  }
}

/** Every third slot, and the head row. */
function thirdOf(table: Table, rest: number, head: number): Expr {
  return se.or(table.col('slot').modulo(3).eq(rest), table.col('slot').eq(head));
}

function drawnOptions(random: ReturnType<typeof randomStream>, isFiltered: boolean, slots: number): Round['options'] {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!;
  return {
    seed: random.below(1000),
    batchSize: Math.min(pick(17, 64, 64, 300), slots >> 3),
    shuffleBufferSize: pick(0, 500, 2000),
    ...(random.below(2) === 0 ? {} : { shuffleChunkRows: pick(100, 512) }),
    interleaveShards: pick(1, 4),
    uneven: isFiltered ? 'keep' : pick('keep' as const, 'split' as const),
    feeder: random.below(6) > 0,
    mapWorkers: pick(0, 0, 1, 2),
  };
}
