import { CutSupply } from './batch-group.js';
import type { BatchMapper } from './batch-mapper.js';
import type { OpenedSource } from './elastic.js';
import { EpochPass, type PassStart } from './epoch-pass.js';
import { FeederLink } from './feeder-link.js';
import { wireSettings } from './feeder-protocol.js';
import { Feeders } from './feeders.js';
import { MapSupply, openMapper } from './map-supply.js';
import type { LoaderSettings } from './options.js';
import type { LoaderSource } from './source.js';
import type { BatchSupply } from './supply.js';

/** Makes the batches of a loader's passes, in the feeder's thread or in this one, and owns the threads that this takes. */
export class BatchMaker {
  readonly #recipe: LoaderSource['recipe'];
  #feeders: Feeders | undefined;
  /** Started before the source was open, for the first of them. */
  #early: FeederLink | undefined;
  #mapper: BatchMapper | undefined;

  constructor({ recipe }: LoaderSource) {
    this.#recipe = recipe;
  }

  /**
   * What `opening` the source gives. The thread of a feeder that is told of it as it opens starts meanwhile, and ends where
   * that fails.
   */
  async beside<T>(opening: Promise<T>, settings: LoaderSettings): Promise<T> {
    const recipe = this.#recipe;
    const isEarly = settings.feeder && recipe !== undefined && 'module' in recipe && this.#feeders === undefined;
    if (isEarly) this.#early ??= new FeederLink(recipe, wireSettings(settings));
    try {
      return await opening;
    } catch (error) {
      await this.#dropEarly();
      throw error;
    }
  }

  /** The batches of the epoch from `start` on, the first of them being number `step`. */
  async open(
    opened: OpenedSource,
    settings: LoaderSettings,
    { epoch, step, start }: { epoch: number; step: number; start: PassStart },
    signal: AbortSignal,
  ): Promise<BatchSupply> {
    const { map, world } = settings;
    const at = { epoch, step, rank: world.rank };
    if (settings.feeder && this.#recipe !== undefined) {
      this.#feeders ??= new Feeders(this.#recipe, opened, settings, this.#early);
      this.#early = undefined;
      return this.#feeders.openPass(at, start, signal);
    }
    const pass = await EpochPass.open(opened, settings, epoch, { signal, views: true });
    const drawn = await pass.from(start);
    if (map === undefined) return new CutSupply(drawn);
    this.#mapper ??= openMapper(map, opened.source.schema);
    return new MapSupply(drawn, this.#mapper, at, signal);
  }

  /** Ends the feeders: the next pass, which may have other settings, begins with others. */
  dropFeeders(): void {
    void this.#feeders?.close();
    void this.#dropEarly();
    this.#feeders = undefined;
  }

  /** Ends all threads; the next pass starts them anew. */
  async close(): Promise<void> {
    const mapper = this.#mapper;
    this.#mapper = undefined;
    await Promise.all([this.#feeders?.close(), this.#dropEarly(), mapper?.close()]);
  }

  async #dropEarly(): Promise<void> {
    const early = this.#early;
    this.#early = undefined;
    await early?.close();
  }
}
