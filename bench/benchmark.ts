import type { DataSet } from './data/data-set.js';
import type { Figure } from './figure.js';

/** How large a run is. */
export interface Scale {
  /** Fewer rows and rounds, for trying out: its numbers are not kept. */
  readonly quick: boolean;
  /** `full` rows, or a tenth of them in a quick run. */
  rows(full: number): number;
}

/** What one pass over the data did; the harness takes the time. */
export interface Pass {
  readonly rows: number;
  readonly bytes: number;
  /** Milliseconds of each `next()`, where the side gives batches one by one. */
  readonly nextMs?: Float64Array;
  /** What else the pass measured, by a name that ends in its unit. */
  readonly values?: Readonly<Record<string, number>>;
}

/** A side that is ready to run. */
export interface OpenSide {
  /** One pass: the work of the benchmark, or a fixed part of it. */
  pass(): Promise<Pass>;
  /** The most bytes of array buffers held at once in a pass of their own, beyond what stood before it. */
  held?(): Promise<number>;
  close?(): Promise<void>;
}

/** One way of doing a benchmark's work. Every side runs in a process of its own. */
export interface Side {
  readonly name: string;
  /** Whether it is another project's reader, which may be missing: the best of those that run counts. */
  readonly peer?: boolean;
  open(scale: Scale): Promise<OpenSide>;
}

/** A piece of work, the ways of doing it, and what must hold between them. */
export interface Benchmark {
  /** `{floor}/{work}/{setting}`. */
  readonly name: string;
  /** What is done, in one line. */
  readonly work: string;
  readonly data: readonly DataSet[];
  readonly sides: readonly Side[];
  readonly figures: readonly Figure[];
  /** Milliseconds that each side warms up. Default: 3,000. More where a pass has few batches, and V8 is long in compiling what each runs. */
  readonly warmUpMs?: number;
  /** Whether one pass of each side says all, its warm-up in it. */
  readonly once?: boolean;
}
