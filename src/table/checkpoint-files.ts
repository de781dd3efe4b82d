import { isSpiralError, SpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import type { LogHint } from './log.js';
import type { TableVersion } from './version.js';

/**
 * Commits between two checkpoints: a reader replays at most 127 entries, some 15 ms of small reads, and a checkpoint of
 * 10,000 fragments (1 MB) costs 8 KB a commit.
 */
const checkpointEveryDefault = 128;
/** Of the checkpoints that are no longer near the end every so many-th stays, for reading older versions. */
const keptOf = 16;

/** Where writers leave checkpoints, which may be lost. */
const sparseFolder = 'checkpoints';
/** Where vacuum leaves those that stand for entries it deleted. */
const keptFolder = 'kept';

/** A checkpoint that was looked for; undefined where none can be read. */
export interface ReadCheckpoint {
  readonly found: TableVersion | undefined;
  /** What is wrong with one that was tried before. */
  readonly damage: SpiralError | undefined;
}

/** The checkpoints of one table: versions as files, each of which spares reading the log up to there. */
export class CheckpointFiles {
  readonly every: number;
  readonly #store: ObjectStore;

  /** @param every commits between two; default 128. */
  constructor(store: ObjectStore, every: number = checkpointEveryDefault) {
    this.#store = store;
    this.every = every;
  }

  /**
   * The newest checkpoint of at least version `floor` that can be read. `hint` spares listing where all is well; undefined
   * where there is none.
   *
   * @throws SpiralError `corrupt_log` where entries below `floor` are gone and no checkpoint stands for them.
   */
  async newest(hint: LogHint, floor: number): Promise<TableVersion | undefined> {
    for (const guess of this.#guesses(hint, floor)) {
      const found = await this.#found(guess);
      if (found !== undefined) return found;
    }
    if (floor === 0 && hint.reached < this.every) return undefined;
    const { found, damage } = await this.#listed(floor, Number.MAX_SAFE_INTEGER);
    if (found !== undefined || floor === 0) return found;
    throw damage ?? this.#unreadable(keptFolder, floor, 'none');
  }

  /** The newest checkpoint of version `floor … version` that can be read, and the first damage that was met. */
  async atOrBelow(version: number, floor: number): Promise<ReadCheckpoint> {
    let damage: SpiralError | undefined;
    const exact = await this.#found(version, (met) => {
      damage ??= met;
    });
    if (exact !== undefined) return { found: exact, damage };
    for (const step of [this.every, this.every * keptOf]) {
      const guess = version - (version % step);
      const found = guess > 0 && guess >= floor ? await this.#read(sparseFolder, guess).catch(onlyDamage) : undefined;
      if (found !== undefined) return { found, damage };
    }
    const listed = await this.#listed(floor, version);
    return { found: listed.found, damage: damage ?? listed.damage };
  }

  /**
   * Writes the checkpoint of `version` where it is due, for what it spares: whether it can be written changes nothing else.
   * True where it is there now.
   */
  async offer(version: TableVersion): Promise<boolean> {
    if (version.version % this.every !== 0) return false;
    try {
      await this.#store.putIfAbsent(place(sparseFolder, version.version), encodeCheckpoint(version));
      const older = version.version - 2 * this.every;
      if (older > 0 && older % (this.every * keptOf) !== 0) await this.#store.delete(place(sparseFolder, older));
      return true;
    } catch {
      // The commit is made, which is all that was promised: readers take an older checkpoint and more entries.
      return false;
    }
  }

  /** Writes the checkpoint of `version` to stay, and makes sure that it can be read: entries are deleted next. */
  async keep(version: TableVersion): Promise<void> {
    const path = place(keptFolder, version.version);
    const bytes = encodeCheckpoint(version);
    if (await this.#store.putIfAbsent(path, bytes)) return;
    const there = await this.#read(keptFolder, version.version).catch(onlyDamage);
    if (there === undefined) await this.#store.put(path, bytes);
  }

  /** The files of checkpoints, and the version of each. */
  async *files(): AsyncGenerator<{ path: string; version: number; size: number; modifiedMs: number; kept: boolean }> {
    for (const folder of [sparseFolder, keptFolder]) {
      for await (const { path, size, modifiedMs } of this.#store.list(`${folder}/`)) {
        const name = path.slice(folder.length + 1);
        if (!/^\d{20}$/.test(name)) continue;
        yield { path, version: Number(name), size, modifiedMs, kept: folder === keptFolder };
      }
    }
  }

  /** Versions that may well have a checkpoint, newest first. */
  #guesses({ reached, summed }: LogHint, floor: number): number[] {
    const last = reached - (reached % this.every);
    const guesses = [summed, last, last - this.every, last - (last % (this.every * keptOf))];
    return [...new Set(guesses)].filter((version) => version > 0 && version >= floor).sort((a, b) => b - a);
  }

  /** The newest that can be read of all there are in a range; the first damage met, where none can. */
  async #listed(from: number, to: number): Promise<ReadCheckpoint> {
    const versions = new Set<number>();
    for await (const { version } of this.files()) if (version >= from && version <= to) versions.add(version);
    let damage: SpiralError | undefined;
    const note = (error: SpiralError): void => {
      damage ??= error;
    };
    for (const version of [...versions].sort((a, b) => b - a)) {
      const found = await this.#found(version, note);
      if (found !== undefined) return { found, damage };
    }
    return { found: undefined, damage };
  }

  async #found(version: number, note?: (damage: SpiralError) => void): Promise<TableVersion | undefined> {
    for (const folder of [sparseFolder, keptFolder]) {
      const found = await this.#read(folder, version).catch((error: unknown) => {
        const nothing = onlyDamage(error);
        note?.(error as SpiralError);
        return nothing;
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** @throws SpiralError `corrupt_log` for one that is damaged. */
  async #read(folder: string, version: number): Promise<TableVersion | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.get(place(folder, version));
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return undefined;
      throw error;
    }
    try {
      const found = decodeCheckpoint(bytes);
      if (found.version === version) return found;
    } catch (error) {
      throw this.#unreadable(folder, version, isSpiralError(error) ? error.message : 'what cannot be decoded', error);
    }
    throw this.#unreadable(folder, version, 'another version');
  }

  #unreadable(folder: string, version: number, found: string, cause?: unknown): SpiralError {
    const file = `${this.#store.uri}/${place(folder, version)}`;
    return new SpiralError(
      'corrupt_log',
      `Expected ${file} to be a checkpoint of version ${version}, found ${found.replace(/\.$/, '')}. Restore the file from ` +
        'a copy: entries of the log that it stands for may be gone.',
      { details: { file, version, found }, cause },
    );
  }
}

function place(folder: string, version: number): string {
  return `${folder}/${String(version).padStart(20, '0')}`;
}

/** Nothing for a checkpoint that is damaged; any other error is thrown on. */
function onlyDamage(error: unknown): undefined {
  if (!isSpiralError(error, 'corrupt_log')) throw error;
}
