interface Slot {
  readonly name: string;
  readonly opened: Promise<number>;
  /** What that gave; undefined while it has given nothing. */
  handle: number | undefined;
  readonly gone: Promise<void>;
  readonly leave: () => void;
  users: number;
  retired: boolean;
}

/**
 * At most `max` handles, the least recently used closed first, never one in use. Opening is single flight for each
 * name; who finds `max` handles in use waits for one to come free (no work may ask for a second while it holds one).
 */
export class FileHandles {
  readonly #close: (handle: number) => Promise<void>;
  readonly #max: number;
  /** Least recently used first. */
  readonly #slots = new Map<string, Slot>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #closing = 0;

  constructor(close: (handle: number) => Promise<void>, max: number) {
    this.#close = close;
    this.#max = max;
  }

  /** Handles open or about to be. */
  get count(): number {
    return this.#taken;
  }

  /** The handle of `name` where it is open, for work that is done before anything else happens. */
  now(name: string): number | undefined {
    const slot = this.#slots.get(name);
    if (slot?.handle === undefined) return undefined;
    this.#slots.delete(name);
    this.#slots.set(name, slot);
    return slot.handle;
  }

  /** Does `work` with the handle of `name`, which was opened before or is by `open` now, and keeps it for the next. */
  async use<T>(name: string, open: () => Promise<number>, work: (handle: number) => Promise<T>): Promise<T> {
    let slot = this.#slots.get(name);
    if (slot === undefined) slot = this.#newSlot(name, open);
    else this.#slots.delete(name);
    this.#slots.set(name, slot);
    return this.#with(slot, work);
  }

  /** Does `work` with a handle opened now, and closes it. */
  async once<T>(name: string, open: () => Promise<number>, work: (handle: number) => Promise<T>): Promise<T> {
    const slot = this.#newSlot(name, open);
    slot.retired = true;
    return this.#with(slot, work);
  }

  /** Forgets the handle of `name`: the next use opens anew. Resolves once it is closed, after the work in hand. */
  drop(name: string): Promise<void> {
    const slot = this.#slots.get(name);
    if (slot === undefined) return Promise.resolve();
    this.#retire(slot);
    return slot.gone;
  }

  /** As `drop` for every name that begins with `prefix`. */
  async dropAll(prefix: string): Promise<void> {
    const names = [...this.#slots.keys()].filter((name) => name.startsWith(prefix));
    await Promise.all(names.map((name) => this.drop(name)));
  }

  async #with<T>(slot: Slot, work: (handle: number) => Promise<T>): Promise<T> {
    slot.users++;
    try {
      const handle = await slot.opened.catch((error: unknown) => {
        this.#retire(slot);
        throw error;
      });
      return await work(handle);
    } finally {
      slot.users--;
      if (slot.retired) this.#shutIfIdle(slot);
      else if (this.#waiting.length > this.#closing && slot.users === 0) this.#retire(slot);
    }
  }

  #newSlot(name: string, open: () => Promise<number>): Slot {
    let leave!: () => void;
    const gone = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const opened = this.#place().then(open);
    const slot: Slot = { name, opened, handle: undefined, gone, leave, users: 0, retired: false };
    opened.then(
      (handle) => {
        slot.handle = handle;
      },
      // Who asked for it is told.
      () => {},
    );
    return slot;
  }

  /** Takes one of the `max` places, closing an idle handle or waiting for one where there is none. */
  async #place(): Promise<void> {
    if (this.#taken < this.#max) {
      this.#taken++;
      return;
    }
    const idle = this.#oldestIdle();
    const given = new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (idle !== undefined) this.#retire(idle);
    await given;
  }

  #oldestIdle(): Slot | undefined {
    for (const slot of this.#slots.values()) if (slot.users === 0) return slot;
    return undefined;
  }

  #retire(slot: Slot): void {
    if (slot.retired) return;
    slot.retired = true;
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
    this.#shutIfIdle(slot);
  }

  #shutIfIdle(slot: Slot): void {
    if (slot.users > 0) return;
    this.#closing++;
    // A handle that never opened, or that fails to close after reading, loses nobody's bytes.
    slot.opened
      .then((handle) => this.#close(handle))
      .catch(() => undefined)
      .finally(() => {
        this.#closing--;
        const next = this.#waiting.shift();
        if (next === undefined) this.#taken--;
        else next();
        slot.leave();
      });
  }
}
