import type { Benchmark } from './benchmark.js';
import { judged, type Measured, type Verdict } from './figure.js';
import { median, medians } from './quantile.js';
import { SideProcess } from './side-process.js';
import type { Turn } from './turn.js';

/** What one side came to: medians over the rounds. */
export interface SideResult extends Measured {
  readonly megabytesPerSecond: number | null;
  /** Slowest and fastest round. */
  readonly rowsPerSecondRange: readonly [number, number] | null;
  readonly nextP50Us: number | null;
  readonly nextP99Us: number | null;
  /** Share of the time spent inside `next()`. */
  readonly waitShare: number | null;
  readonly peakRssBytes: number | null;
  /** Why it did not run. */
  readonly error: string | null;
}

/** One benchmark, run. */
export interface ComparisonResult {
  readonly name: string;
  readonly work: string;
  readonly rounds: number;
  readonly sides: readonly SideResult[];
  readonly figures: readonly Verdict[];
}

/** How a benchmark is run. */
export interface RunSettings {
  readonly quick: boolean;
  readonly rounds: number;
  /** Whether each side writes a CPU profile into the working folder. */
  readonly profile: boolean;
}

/** How long a side warms up where its benchmark does not say, and how long a round of it takes, at the least: code is then compiled, noise averaged. */
const warmUpMsDefault = 3000;
const roundMs = 300;

/** Runs the sides of `benchmark` in turns, round by round, after a warm-up that does not count. */
export async function compare(benchmark: Benchmark, settings: RunSettings): Promise<ComparisonResult> {
  const running: RunningSide[] = [];
  try {
    for (const { name, peer = false } of benchmark.sides) {
      running.push(await RunningSide.start(benchmark.name, name, peer, settings));
    }
    if (!benchmark.once) for (const side of running) await side.warmUp(benchmark.warmUpMs ?? warmUpMsDefault);
    const rounds = benchmark.once ? 1 : settings.rounds;
    for (let round = 0; round < rounds; round++) {
      // Who goes first changes, so that nobody always runs after the same neighbour.
      for (let at = 0; at < running.length; at++) await running[(at + round) % running.length]!.round();
    }
    const sides: SideResult[] = [];
    for (const side of running) sides.push(await side.result());
    const figures = benchmark.figures.map((figure) => judged(figure, sides));
    return { name: benchmark.name, work: benchmark.work, rounds, sides, figures };
  } finally {
    for (const side of running) side.kill();
  }
}

/** A side under way. One that fails takes no further part and says why. */
class RunningSide {
  readonly #name: string;
  readonly #peer: boolean;
  readonly #turns: Turn[] = [];
  #process: SideProcess | undefined;
  #error: string | null = null;

  private constructor(name: string, peer: boolean) {
    this.#name = name;
    this.#peer = peer;
  }

  static async start(benchmark: string, name: string, peer: boolean, settings: RunSettings): Promise<RunningSide> {
    const side = new RunningSide(name, peer);
    await side.#try(async () => {
      side.#process = await SideProcess.start(benchmark, name, settings);
    });
    return side;
  }

  async warmUp(ms: number): Promise<void> {
    await this.#try(() => this.#process!.pass(ms));
  }

  async round(): Promise<void> {
    await this.#try(async () => this.#turns.push(await this.#process!.pass(roundMs)));
  }

  async result(): Promise<SideResult> {
    let heldBytes: number | null = null;
    let peakRssBytes: number | null = null;
    await this.#try(async () => {
      heldBytes = await this.#process!.held();
      peakRssBytes = await this.#process!.end();
    });
    const turns = this.#error === null ? this.#turns : [];
    const rates = turns.map(({ rows, ms }) => (rows / ms) * 1000);
    return {
      name: this.#name,
      peer: this.#peer,
      rowsPerSecond: middle(rates),
      rowsPerSecondRange: rates.length === 0 ? null : [Math.min(...rates), Math.max(...rates)],
      megabytesPerSecond: middle(turns.map(({ bytes, ms }) => bytes / ms / 1000)),
      bytesPerRow: middle(turns.map(({ rows, bytes }) => bytes / rows)),
      nextP50Us: middle(turns.map((turn) => turn.nextP50Us)),
      nextP99Us: middle(turns.map((turn) => turn.nextP99Us)),
      waitShare: middle(turns.map(({ waitMs, ms }) => (waitMs === null ? null : waitMs / ms))),
      peakRssBytes,
      heldBytes,
      values: medians(turns.map((turn) => turn.values)),
      error: this.#error,
    };
  }

  kill(): void {
    this.#process?.kill();
  }

  async #try(work: () => Promise<unknown>): Promise<void> {
    if (this.#error !== null) return;
    try {
      await work();
    } catch (error) {
      this.#error = (error as Error).message;
    }
  }
}

function middle(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}
