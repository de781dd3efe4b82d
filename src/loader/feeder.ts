import type { Schema } from 'apache-arrow';
import { FeederLink } from './feeder-link.js';
import { FeederPass, type PassPart } from './feeder-pass.js';
import type { FeederRecipe, WireSettings } from './feeder-protocol.js';

/**
 * A feeder's thread as the main thread sees it: started on the first pass, kept for the next, ended by `close`. Ready
 * batches are taken without a turn of the event loop.
 */
export class Feeder {
  readonly #recipe: FeederRecipe;
  readonly #settings: WireSettings;
  readonly #schema: Schema;
  #link: FeederLink | undefined;
  #passes = 0;
  #last: FeederPass | undefined;

  /** @param started its thread, where that was started before. */
  constructor(recipe: FeederRecipe, settings: WireSettings, schema: Schema, started?: FeederLink) {
    this.#link = started;
    this.#recipe = recipe;
    this.#settings = settings;
    this.#schema = schema;
  }

  /** Starts a pass over `epoch` with its first part. One pass at a time: the one before ends. */
  startPass({ epoch, step }: { epoch: number; step: number }, part: PassPart, signal: AbortSignal): FeederPass {
    // It may not have been read to its end, and would stay with a signal that lives for many passes.
    this.#last?.leave();
    const number = ++this.#passes;
    this.#last = new FeederPass(() => this.#current(), { number, epoch, step, signal }, part, this.#schema);
    return this.#last;
  }

  /** Ends the thread. A second call does nothing. */
  async close(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  /** The thread, started if there is none or it died. */
  #current(): FeederLink {
    const link = this.#link;
    if (link !== undefined && !link.dead) return link;
    // What it had sent may still lie in its port.
    void link?.close();
    this.#link = new FeederLink(this.#recipe, this.#settings);
    return this.#link;
  }
}
