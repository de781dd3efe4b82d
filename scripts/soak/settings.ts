import type { LoaderState } from '../../src/loader/state.js';

/** What a soak does, as plain JSON: every process of it is told all of it. */
export interface SoakSettings {
  /** Where the table is: a path, or `s3://bucket/folder`. */
  readonly uri: string;
  /** A folder of this machine for journals, states and evidence. */
  readonly folder: string;
  readonly seed: number;
  /** Milliseconds in which faults, kills and work go on; what was begun is finished afterwards. */
  readonly runMs: number;
  readonly writers: number;
  /** Keys of each writer. */
  readonly slots: number;
  /** Groups of loaders, and the ranks of each, at most: the size of its world changes. */
  readonly groups: number;
  readonly worldSize: number;
  /** Whether a process compacts and vacuums. */
  readonly keeper: boolean;
  /** Milliseconds between two kills, on average; 0: none. */
  readonly killMs: number;
  /** Milliseconds between two commits of a writer, at most. */
  readonly pauseMs: number;
  /** A fault of the soak's own making, which it must notice: a commit that is acknowledged and not made. */
  readonly sabotage: 'lost-commit' | undefined;
}

/** What one process does. */
export type Role =
  | { readonly kind: 'writer'; readonly writer: number }
  | { readonly kind: 'keeper' }
  | { readonly kind: 'rank'; readonly group: number; readonly rank: number };

/**
 * A part of a pass of a group of loaders over a snapshot of the table: the ranks of one world read until all have taken the
 * same step or ended the epoch. The next one may be of another world, which goes on from the states of this one's ranks.
 */
export interface Leg {
  readonly kind: 'leg';
  /** Counts the legs of a group. */
  readonly number: number;
  /** The scan, as `stateJson()` gives it. */
  readonly scan: string;
  readonly worldSize: number;
  /** The states of all ranks of the leg before; null for the first. */
  readonly states: readonly LoaderState[] | null;
  /** Ends before this epoch, and after this step; null for no such step. */
  readonly endEpoch: number;
  readonly endStep: number | null;
  /** Options of the loaders. */
  readonly options: {
    readonly seed: number;
    readonly batchSize: number;
    readonly shuffleBufferSize: number;
    readonly shuffleChunkRows?: number;
    readonly interleaveShards: number;
    readonly uneven: 'keep' | 'split';
    readonly feeder: boolean;
    readonly mapWorkers: number;
  };
}

/** What a process is told. */
export type Order = Leg | { readonly kind: 'stop' };

/** What a process tells. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'acknowledged'; readonly writer: number; readonly step: number }
  | { readonly kind: 'finished'; readonly leg: number; readonly state: LoaderState }
  | { readonly kind: 'alive'; readonly bytes: number }
  | { readonly kind: 'idle'; readonly threads: number }
  | { readonly kind: 'count'; readonly name: string }
  | { readonly kind: 'breach'; readonly text: string }
  | ({ readonly kind: 'vitals' } & Vitals)
  | { readonly kind: 'ended'; readonly resources: readonly string[] };

/** What a process takes of the machine, and what its store did so far. */
export interface Vitals {
  readonly rss: number;
  readonly threads: number;
  /** Operations asked of the store, and those of them that failed. */
  readonly operations: number;
  readonly failures: number;
}

/** The name of a process, in reports and of its files. */
export function roleName(role: Role): string {
  if (role.kind === 'keeper') return 'keeper';
  return role.kind === 'writer' ? `writer ${role.writer}` : `loader ${role.group}.${role.rank}`;
}

/** The last slot of a writer, which each of its commits writes: what it holds tells how many steps are in a snapshot. */
export function headSlot({ slots }: Pick<SoakSettings, 'slots'>): number {
  return slots;
}
