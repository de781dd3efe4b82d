import { isSpiralError } from '../core/errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import type { Log } from './log.js';
import type { Commit } from './operation.js';
import type { Upkeep } from './upkeep-change.js';
import { replay, type TableVersion } from './version.js';

/** Versions kept that were asked for: a training job and its evaluation read two or three. */
const versionsKept = 4;

/** Versions before those that a table's log was begun at, each found by the nearest checkpoint below. */
export class PastVersions {
  readonly #log: Log<Commit>;
  readonly #checkpoints: CheckpointFiles;
  readonly #found = new Map<number, Promise<TableVersion>>();

  constructor(log: Log<Commit>, checkpoints: CheckpointFiles) {
    this.#log = log;
    this.#checkpoints = checkpoints;
  }

  /** Version number `version`, which is kept. @throws SpiralError `corrupt_log` where what it needs is not there. */
  at(version: number, upkeep: Upkeep, where: string): Promise<TableVersion> {
    let found = this.#found.get(version);
    if (found === undefined) {
      found = this.#find(version, upkeep, where);
      this.#found.set(version, found);
      found.catch(() => this.#found.delete(version));
      if (this.#found.size > versionsKept) this.#found.delete(this.#found.keys().next().value!);
    }
    return found;
  }

  /** The last version from `low`, which is at or before `time`, to `high` that is so too. */
  async asof(time: number, low: number, high: number): Promise<number> {
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const [commit] = await this.#log.read(middle, middle);
      if (commit!.time <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #find(version: number, { floor }: Upkeep, where: string): Promise<TableVersion> {
    const { found: before, damage } = await this.#checkpoints.atOrBelow(version, version < floor ? 0 : floor);
    const base = before?.version ?? 0;
    const commits = await this.#log.read(base + 1, version).catch((error: unknown) => {
      // Vacuum deleted what is missing, as a checkpoint stands for it: that one is what needs to be restored.
      throw damage !== undefined && isSpiralError(error, 'corrupt_log') ? damage : error;
    });
    return replay(commits, where, before, base);
  }
}
