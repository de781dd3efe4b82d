import { readdirSync } from 'node:fs';
import type { RandomStream } from '../../src/core/random.js';
import type { Leg, Report, SoakSettings } from './settings.js';
import type { SoakWarehouse } from './soak-warehouse.js';

/** What a role has to work with. */
export interface Member {
  readonly settings: SoakSettings;
  readonly name: string;
  readonly warehouse: SoakWarehouse;
  /** Another one in each life. */
  readonly random: RandomStream;
  /** Aborts when the process is to end. */
  readonly stopped: AbortSignal;
  send(report: Report): void;
  /** The next leg; undefined: the process is to end. */
  nextLeg(): Promise<Leg | undefined>;
  /** Tells what memory is held now and then, at a moment when little is under way. */
  tellAlive(): void;
  /** `work`, tried again while the store cannot answer though it was tried again already. */
  insist<T>(work: () => Promise<T>): Promise<T>;
}

/** Threads of this process; 0 where the system does not tell. */
export function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}
