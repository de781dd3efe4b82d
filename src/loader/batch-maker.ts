import { CutSupply } from './batch-group.js';
import type { BatchMapper } from './batch-mapper.js';
import type { OpenedSource } from './elastic.js';
import { openPass, type PassStart } from './epoch-pass.js';
import { Feeder } from './feeder.js';
import { wireSettings } from './feeder-protocol.js';
import { MapSupply, openMapper } from './map-supply.js';
import type { LoaderSettings } from './options.js';
import type { LoaderSource } from './source.js';
import type { BatchSupply } from './supply.js';

/** Makes the batches of a loader's passes, in the feeder's thread or in this one, and owns the threads that this takes. */
export class BatchMaker {
  readonly #recipe: LoaderSource['recipe'];
  #feeder: Feeder | undefined;
  #mapper: BatchMapper | undefined;

  constructor({ recipe }: LoaderSource) {
    this.#recipe = recipe;
  }

  /** The batches of the epoch from `start` on, the first of them being number `step`. */
  async open(
    { source, shards }: OpenedSource,
    settings: LoaderSettings,
    { epoch, step, start }: { epoch: number; step: number; start: PassStart },
    signal: AbortSignal,
  ): Promise<BatchSupply> {
    const { map, world } = settings;
    const at = { epoch, step, rank: world.rank };
    if (settings.feeder && this.#recipe !== undefined) {
      this.#feeder ??= new Feeder(this.#recipe, wireSettings(settings), source.schema);
      return this.#feeder.openPass(at, start, signal);
    }
    const drawn = await openPass(source, shards, settings, { epoch, start }, { signal, views: true });
    if (map === undefined) return new CutSupply(drawn);
    this.#mapper ??= openMapper(map, source.schema);
    return new MapSupply(drawn, this.#mapper, at, signal);
  }

  /** Ends the feeder: the next pass, which may have other settings, begins with another. */
  dropFeeder(): void {
    void this.#feeder?.close();
    this.#feeder = undefined;
  }

  /** Ends all threads; the next pass starts them anew. */
  async close(): Promise<void> {
    const mapper = this.#mapper;
    this.#mapper = undefined;
    await Promise.all([this.#feeder?.close(), mapper?.close()]);
  }
}
