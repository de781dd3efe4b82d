/**
 * Tells of the abort of signals, with one listener for each signal however many watch it: Node warns of a leak at the
 * eleventh.
 */
export class AbortWatch {
  readonly #watchers = new Map<AbortSignal, Watchers>();

  /** Has `told` called once `signal` aborts, unless the function that is returned was called before. */
  watch(signal: AbortSignal, told: () => void): () => void {
    const { calls } = this.#of(signal);
    calls.add(told);
    return () => {
      calls.delete(told);
      if (calls.size === 0) this.#leave(signal);
    };
  }

  #of(signal: AbortSignal): Watchers {
    let watchers = this.#watchers.get(signal);
    if (watchers === undefined) {
      const calls = new Set<() => void>();
      const listener = (): void => {
        for (const told of [...calls]) told();
      };
      watchers = { calls, listener };
      this.#watchers.set(signal, watchers);
      signal.addEventListener('abort', listener, { once: true });
    }
    return watchers;
  }

  #leave(signal: AbortSignal): void {
    const watchers = this.#watchers.get(signal);
    if (watchers === undefined || watchers.calls.size > 0) return;
    signal.removeEventListener('abort', watchers.listener);
    this.#watchers.delete(signal);
  }
}

interface Watchers {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}
