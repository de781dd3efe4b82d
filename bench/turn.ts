/** What the harness and the process of a side say to each other. */
export type Order = { readonly do: 'pass'; readonly msMin: number } | { readonly do: 'held' } | { readonly do: 'end' };

/** Timed passes of a side. */
export interface Turn {
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
  /** Microseconds of `next()`; null for a side without batches. */
  readonly nextP50Us: number | null;
  readonly nextP99Us: number | null;
  /** Milliseconds spent inside `next()`: the data wait of a consumer that does nothing else. */
  readonly waitMs: number | null;
  /** Medians, over its passes, of what they measured besides. */
  readonly values: Readonly<Record<string, number>>;
}

export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'turn'; readonly turn: Turn }
  | { readonly kind: 'held'; readonly bytes: number | null }
  | { readonly kind: 'ended'; readonly peakRssBytes: number }
  | { readonly kind: 'failed'; readonly message: string };
