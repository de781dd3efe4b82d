import { rm } from 'node:fs/promises';
import type { Table } from '../../src/client/table.js';
import { type RandomStream, randomStream } from '../../src/core/random.js';
import { type Expr, se } from '../../src/index.js';
import type { LoaderState } from '../../src/loader/state.js';
import type { Crew, Place } from './crew.js';
import { Evidence } from './evidence.js';
import { evidenceFile } from './rank.js';
import { headSlot, type Leg, type Role } from './settings.js';
import type { SoakWarehouse } from './soak-warehouse.js';
import { StoryModel } from './story.js';
import { snapshotBreaches } from './verify.js';

/** A group of loaders that read snapshot after snapshot together, each rank in a process of its own. */
export class Group {
  readonly places: readonly Place[];
  readonly #crew: Crew;
  readonly #number: number;
  readonly #models: readonly StoryModel[];
  #legs = 0;
  #leg: Leg | undefined;
  readonly #missing = new Set<Place>();
  readonly #states: LoaderState[] = [];
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
    if (this.#leg !== undefined && this.#missing.has(place)) place.send(this.#leg);
  }

  /** Hears that a process has finished a leg, at `state`. */
  finish(place: Place, leg: number, state: LoaderState): void {
    if (leg !== this.#leg?.number || !this.#missing.delete(place)) return;
    this.#states.push(state);
    if (this.#missing.size === 0) this.#finished();
  }

  /** Reads the table as it is now, and checks every epoch. `acknowledged` are the steps that it must hold. */
  async run(number: number, warehouse: SoakWarehouse, table: Table, acknowledged: readonly number[]): Promise<void> {
    const { settings } = this.#crew;
    const tag = await table.tag(`group-${this.#number}-${number}`);
    const random = randomStream('round', settings.seed, this.#number, number);
    const rest = random.below(4) === 0 ? random.below(3) : undefined;
    const where = rest === undefined ? undefined : thirdOf(table, rest, headSlot(settings));
    const scan = (await warehouse.scan(table, { where, asof: tag.time })).stateJson();
    const options = drawnOptions(random, where !== undefined, settings.slots);
    const worlds = drawnWorlds(random, settings.worldSize);
    const legs: Leg[] = [];
    let states: LoaderState[] | null = null;
    for (const [at, worldSize] of worlds.entries()) {
      const isLast = at === worlds.length - 1;
      const step = Math.max(0, ...(states ?? []).map((state) => state.step));
      // One in three worlds ends with its epoch.
      const endStep = isLast || random.below(3) === 0 ? null : step + 1 + random.below(legStepsMax);
      const endEpoch = isLast ? epochs : 1;
      const leg: Leg = { kind: 'leg', number: this.#legs++, scan, worldSize, states, endEpoch, endStep, options };
      states = await this.#read(leg);
      legs.push(leg);
      if (!isLast) this.#crew.count(`changes of world ${endStep === null ? 'at the end of' : 'within'} an epoch`);
    }
    const breach = (text: string): void => {
      const how = `worlds of ${worlds.join(', ')}, ${JSON.stringify(options)}`;
      this.#crew.breach(`group ${this.#number}, round ${number} (${how}): ${text}`);
    };
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const text of await this.#check(legs, epoch, acknowledged, rest)) breach(`epoch ${epoch}: ${text}`);
    }
    await table.untag(tag.name);
    this.#crew.count('rounds');
  }

  /** Has the ranks of `leg` read it, and gives their states at its end. */
  async #read(leg: Leg): Promise<LoaderState[]> {
    const ranks = this.places.slice(0, leg.worldSize);
    for (const place of ranks) this.#missing.add(place);
    this.#leg = leg;
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    for (const place of ranks) place.send(leg);
    await finished;
    return this.#states.splice(0);
  }

  /** What is wrong with what the ranks of all legs received of an epoch. */
  async #check(
    legs: readonly Leg[],
    epoch: number,
    acknowledged: readonly number[],
    rest: number | undefined,
  ): Promise<string[]> {
    const { settings } = this.#crew;
    const all = new Evidence(settings);
    const wrong: string[] = [];
    for (const { number, worldSize, states, endEpoch } of legs) {
      const beginEpoch = Math.min(...(states ?? [{ epoch: 0 }]).map((state) => state.epoch));
      if (epoch < beginEpoch || epoch >= endEpoch) continue;
      for (const place of this.places.slice(0, worldSize)) {
        const path = evidenceFile(settings, place.role as Extract<Role, { kind: 'rank' }>, number, epoch);
        const found = await Evidence.load(path, settings);
        if (found === undefined) wrong.push(`${place.name} left no evidence of leg ${number}`);
        else wrong.push(...all.merge(found.evidence));
        await rm(path, { force: true });
      }
    }
    const head = headSlot(settings);
    const isWanted = (slot: number): boolean => rest === undefined || slot % 3 === rest || slot === head;
    wrong.push(...snapshotBreaches(all, this.#models, acknowledged, false, isWanted));
    this.#crew.count('epochs');
    return wrong;
  }
}

/** Epochs of a round. */
const epochs = 2;
/** Steps of a leg that ends in the midst of an epoch, at most. */
const legStepsMax = 60;

/** The sizes of the worlds that read a round, one after the other: up to three, neighbours different where they can be. */
function drawnWorlds(random: RandomStream, worldSizeMax: number): number[] {
  const sizes = [1 + random.below(worldSizeMax)];
  for (let more = worldSizeMax === 1 ? 0 : random.below(3); more > 0; more--) {
    sizes.push(1 + ((sizes.at(-1)! + random.below(worldSizeMax - 1)) % worldSizeMax));
  }
  return sizes;
}

/** Every third slot, and the head row. */
function thirdOf(table: Table, rest: number, head: number): Expr {
  return se.or(table.col('slot').modulo(3).eq(rest), table.col('slot').eq(head));
}

function drawnOptions(random: RandomStream, isFiltered: boolean, slots: number): Leg['options'] {
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
