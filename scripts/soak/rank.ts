import type { Scan } from '../../src/client/scan.js';
import { isSpiralError } from '../../src/core/errors.js';
import { sleep } from '../../src/core/runtime.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderState } from '../../src/loader/state.js';
import { transformModule } from '../../src/loader/transform-module.js';
import { World } from '../../src/sharding/world.js';
import { type CheckedRows, checkedRows } from './checked-rows.js';
import { Evidence } from './evidence.js';
import { type Member, threadCount } from './member.js';
import type { Leg, Role, SoakSettings } from './settings.js';

type RankRole = Extract<Role, { kind: 'rank' }>;

/** What a rank keeps beside its evidence: where it stands in which leg, and whether that is its end. */
interface Standing {
  readonly leg: number;
  readonly state: LoaderState;
  readonly isOver: boolean;
}

/** The file that holds what a rank received of an epoch in a leg. */
export function evidenceFile({ folder }: SoakSettings, { group, rank }: RankRole, leg: number, epoch: number): string {
  return `${folder}/evidence-${group}.${rank}-${leg}-${epoch}`;
}

/** Batches, at most, between two savings of where a rank stands. */
const saveEvery = 12;
/** Times that a loader may fail in a leg because the store cannot answer, though all was tried again. */
const failuresMax = 5;
/** Milliseconds that a training step takes, at most. */
const stepMsMax = 25;

/** Reads leg after leg until it is stopped, from where it stood when it was killed. */
export async function load(member: Member, role: RankRole): Promise<void> {
  for (let leg = await member.nextLeg(); leg !== undefined; leg = await member.nextLeg()) {
    const isAtWork = new RankAtWork(member, role, leg);
    let state = await isAtWork.finish();
    for (; state === undefined; state = await isAtWork.finish()) {
      member.send({ kind: 'count', name: 'loaders that failed and were resumed' });
    }
    member.send({ kind: 'idle', threads: threadCount() });
    member.tellAlive();
    member.send({ kind: 'finished', leg: leg.number, state });
  }
}

class RankAtWork {
  readonly #member: Member;
  readonly #role: RankRole;
  readonly #leg: Leg;
  readonly #standing: string;
  #failures = 0;

  constructor(member: Member, role: RankRole, leg: Leg) {
    this.#member = member;
    this.#role = role;
    this.#leg = leg;
    this.#standing = `${member.settings.folder}/standing-${role.group}.${role.rank}`;
  }

  /** Goes on where the rank stands; gives its state at the end of the leg, or undefined where the store failed for too long. */
  async finish(): Promise<LoaderState | undefined> {
    const { settings, warehouse, insist, send } = this.#member;
    const saved = await Evidence.load<Standing>(this.#standing, settings);
    const found = saved?.header.leg === this.#leg.number ? saved : undefined;
    const evidence = found?.evidence ?? new Evidence(settings);
    const state = found?.header.state;
    if (found?.header.isOver === true) return state;
    if (state !== undefined) send({ kind: 'count', name: 'loaders resumed from a state' });
    const scan = await insist(() => warehouse.resumeScan(this.#leg.scan));
    await using loader = this.#loader(scan, state);
    try {
      while (!this.#isOver(loader)) await this.#readEpoch(loader, evidence);
      await this.#save(loader, evidence, true);
      return loader.stateDict();
    } catch (error) {
      if (!isSpiralError(error, 'unavailable') || ++this.#failures > failuresMax) throw error;
      return undefined;
    }
  }

  #loader(scan: Scan, state: LoaderState | undefined): SpiralDataLoader<CheckedRows> {
    const { worldSize, states } = this.#leg;
    const { mapWorkers, feeder, ...options } = this.#leg.options;
    const transformFn =
      mapWorkers > 0 ? transformModule(new URL('checked-rows.ts', import.meta.url), 'checkedRows') : checkedRows;
    const ways = { transformFn, mapWorkers, feeder };
    if (state !== undefined) return SpiralDataLoader.fromStateDict<CheckedRows>(scan, state, ways);
    const world = new World({ rank: this.#role.rank, worldSize });
    if (states !== null) return SpiralDataLoader.fromStateDict<CheckedRows>(scan, states, { ...ways, world });
    return new SpiralDataLoader<CheckedRows>(scan, { ...options, ...ways, world });
  }

  #isOver({ epoch, step }: SpiralDataLoader<CheckedRows>): boolean {
    const { endEpoch, endStep } = this.#leg;
    return epoch >= endEpoch || (endStep !== null && step >= endStep);
  }

  #save(loader: SpiralDataLoader<CheckedRows>, evidence: Evidence, isOver = false): Promise<void> {
    const standing: Standing = { leg: this.#leg.number, state: loader.stateDict(), isOver };
    return evidence.save(this.#standing, standing);
  }

  /** Reads to the end of the epoch, or of the leg. */
  async #readEpoch(loader: SpiralDataLoader<CheckedRows>, evidence: Evidence): Promise<void> {
    const { settings, random, send, name } = this.#member;
    const { number } = this.#leg;
    const { epoch } = loader;
    let left = 1 + random.below(saveEvery);
    for await (const rows of loader) {
      for (const text of evidence.add(rows))
        send({ kind: 'breach', text: `${name}, leg ${number}, epoch ${epoch}: ${text}` });
      send({ kind: 'count', name: 'batches' });
      if (this.#isOver(loader)) break;
      if (random.unit() < 0.5) await sleep(stepMsMax * random.unit());
      if (--left > 0) continue;
      left = 1 + random.below(saveEvery);
      await this.#save(loader, evidence);
    }
    await evidence.save(evidenceFile(settings, this.#role, number, epoch), {});
    evidence.clear();
    await this.#save(loader, evidence, this.#isOver(loader));
  }
}
