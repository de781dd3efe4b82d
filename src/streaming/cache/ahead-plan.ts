import { type Ahead, AheadWindow } from './ahead-window.js';
import type { ExpectedShards } from './expected-shards.js';

/** What a plan to fetch ahead is made of. */
export interface AheadSituation {
  readonly expected: Pick<ExpectedShards, 'known'>;
  /** The place after which anyone needs the shard next; Infinity where nobody is known to. */
  readonly next: (shard: number, after?: number) => number;
  /** Shards that are here, with their bytes and whether they may go now. */
  readonly present: ReadonlyMap<number, { readonly bytes: number; readonly free: boolean; readonly used: number }>;
  /** Shards that are on their way, by anyone. */
  readonly coming: ReadonlySet<number>;
  readonly bytesOf: (shard: number) => number;
  /** Bytes that are free. */
  readonly room: number;
  readonly ahead: Ahead;
  /** Fetches to plan. */
  readonly fetches: number;
}

/** A shard to fetch, once these are gone. */
export interface AheadFetch {
  readonly shard: number;
  readonly evict: readonly number[];
}

/**
 * What to fetch before it is asked for: missing shards in the order of need, in the place of those that are needed last once
 * it is their turn, as Belady's rule has it, and each as soon as these are not needed before. So no fetch is made that the
 * same order would not make without fetching ahead, and with shards of one size their number is the least there is.
 */
export function planAhead(situation: AheadSituation): AheadFetch[] {
  const { expected, present, coming, ahead, fetches } = situation;
  const plan: AheadFetch[] = [];
  const gone = new Set<number>();
  const planned = new Set<number>();
  const window = new AheadWindow(ahead);
  let { room } = situation;
  for (const { place, shard } of expected.known()) {
    if (plan.length === fetches || !window.takes(shard)) break;
    if (coming.has(shard) || planned.has(shard) || (present.has(shard) && !gone.has(shard))) continue;
    const bytes = situation.bytesOf(shard);
    const evict: number[] = [];
    while (room < bytes) {
      const victim = furthest(situation, place, gone, planned);
      if (victim === undefined) return plan;
      gone.add(victim);
      evict.push(victim);
      room += present.get(victim)!.bytes;
    }
    room -= bytes;
    planned.add(shard);
    plan.push({ shard, evict });
  }
  return plan;
}

/** The shard that Belady's rule takes out at `place`; undefined where that one has to stay until then. */
function furthest(
  { present, coming, next }: AheadSituation,
  place: number,
  gone: ReadonlySet<number>,
  planned: ReadonlySet<number>,
): number | undefined {
  let best: { shard: number; need: number; used: number } | undefined;
  let mostHeld = Number.NEGATIVE_INFINITY;
  for (const [shard, { free, used }] of present) {
    if (gone.has(shard)) continue;
    const need = next(shard, place);
    if (!free || next(shard) < place) mostHeld = Math.max(mostHeld, need);
    else if (best === undefined || need > best.need || (need === best.need && used < best.used)) {
      best = { shard, need, used };
    }
  }
  for (const shard of [...coming, ...planned]) mostHeld = Math.max(mostHeld, next(shard, place));
  return best === undefined || best.need <= place || best.need < mostHeld ? undefined : best.shard;
}
