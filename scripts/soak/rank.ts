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
import type { Role, Round, SoakSettings } from './settings.js';

type RankRole = Extract<Role, { kind: 'rank' }>;

/** What a rank keeps beside its evidence: where it stands in which round. */
interface Standing {
  readonly round: number;
  /** Null where nothing was received. */
  readonly state: LoaderState | null;
}

/** The file that holds what a rank received of an epoch. */
export function evidenceFile(
  { folder }: SoakSettings,
  { group, rank }: RankRole,
  round: number,
  epoch: number,
): string {
  return `${folder}/evidence-${group}.${rank}-${round}-${epoch}`;
}

/** Batches, at most, between two savings of where a rank stands. */
const saveEvery = 12;
/** Times that a loader may fail in a round because the store cannot answer, though all was tried again. */
const failuresMax = 5;
/** Milliseconds that a training step takes, at most. */
const stepMsMax = 25;

/** Reads round after round until it is stopped, from where it stood when it was killed. */
export async function load(member: Member, role: RankRole): Promise<void> {
  for (let round = await member.nextRound(); round !== undefined; round = await member.nextRound()) {
    const isAtWork = new RankAtWork(member, role, round);
    while (!(await isAtWork.finish())) member.send({ kind: 'count', name: 'loaders that failed and were resumed' });
    member.send({ kind: 'idle', threads: threadCount() });
    member.send({ kind: 'finished', round: round.number });
  }
}

class RankAtWork {
  readonly #member: Member;
  readonly #role: RankRole;
  readonly #round: Round;
  readonly #standing: string;
  #failures = 0;

  constructor(member: Member, role: RankRole, round: Round) {
    this.#member = member;
    this.#role = role;
    this.#round = round;
    this.#standing = `${member.settings.folder}/standing-${role.group}.${role.rank}`;
  }

  /** Goes on where the rank stands; whether the round is finished, or the store failed for too long. */
  async finish(): Promise<boolean> {
    const { settings, warehouse, insist, send } = this.#member;
    const found = await Evidence.load<Standing>(this.#standing, settings);
    const isResumed = found?.header.round === this.#round.number && found.header.state !== null;
    const state = isResumed ? found.header.state : null;
    const evidence = isResumed ? found.evidence : new Evidence(settings);
    if (state !== null && state.epoch >= this.#round.epochs) return true;
    if (state !== null) send({ kind: 'count', name: 'loaders resumed from a state' });
    const scan = await insist(() => warehouse.resumeScan(this.#round.scan));
    await using loader = this.#loader(scan, state);
    try {
      while (loader.epoch < this.#round.epochs) await this.#readEpoch(loader, evidence);
      return true;
    } catch (error) {
      if (!isSpiralError(error, 'unavailable') || ++this.#failures > failuresMax) throw error;
      return false;
    }
  }

  #loader(scan: Scan, state: LoaderState | null): SpiralDataLoader<CheckedRows> {
    const { mapWorkers, feeder, ...options } = this.#round.options;
    const transformFn =
      mapWorkers > 0 ? transformModule(new URL('checked-rows.ts', import.meta.url), 'checkedRows') : checkedRows;
    const ways = { transformFn, mapWorkers, feeder };
    if (state !== null) return SpiralDataLoader.fromStateDict<CheckedRows>(scan, state, ways);
    const world = new World({ rank: this.#role.rank, worldSize: this.#member.settings.worldSize });
    return new SpiralDataLoader<CheckedRows>(scan, { ...options, ...ways, world });
  }

  async #readEpoch(loader: SpiralDataLoader<CheckedRows>, evidence: Evidence): Promise<void> {
    const { settings, random, send, name } = this.#member;
    const { number } = this.#round;
    const { epoch } = loader;
    let left = 1 + random.below(saveEvery);
    for await (const rows of loader) {
      for (const text of evidence.add(rows))
        send({ kind: 'breach', text: `${name}, round ${number}, epoch ${epoch}: ${text}` });
      send({ kind: 'count', name: 'batches' });
      if (random.unit() < 0.5) await sleep(stepMsMax * random.unit());
      if (--left > 0) continue;
      left = 1 + random.below(saveEvery);
      await evidence.save(this.#standing, { round: number, state: loader.stateDict() } satisfies Standing);
    }
    await evidence.save(evidenceFile(settings, this.#role, number, epoch), {});
    evidence.clear();
    await evidence.save(this.#standing, { round: number, state: loader.stateDict() } satisfies Standing);
  }
}
