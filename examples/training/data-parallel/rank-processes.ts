import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RankReport, StartMessage, Weights } from './messages.js';

/** A rank ended that was to go on. */
export class RankLost extends Error {
  readonly rank: number;

  constructor(rank: number, how: string) {
    super(`Rank ${rank} was lost (${how}).`);
    this.rank = rank;
  }
}

/** The processes of one world. */
export class RankProcesses implements AsyncDisposable {
  private readonly processes: readonly ChildProcess[];
  private readonly reports: (RankReport | undefined)[];
  private lost: RankLost | undefined;
  private wake = (): void => {};

  constructor(worldSize: number, start: StartMessage) {
    this.reports = Array.from({ length: worldSize }, () => undefined);
    this.processes = this.reports.map((_, rank) => this.started(rank, worldSize, start));
  }

  /** The next report of each of `ranks`, in their order. @throws RankLost where a process ended. */
  async gather(ranks: readonly number[]): Promise<RankReport[]> {
    for (;;) {
      if (this.lost !== undefined) throw this.lost;
      if (ranks.every((rank) => this.reports[rank] !== undefined)) break;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return ranks.map((rank) => {
      const report = this.reports[rank]!;
      this.reports[rank] = undefined;
      return report;
    });
  }

  /** Lets `ranks` go on, with `weights`. */
  release(ranks: readonly number[], weights: Weights): void {
    for (const rank of ranks)
      if (this.processes[rank]!.connected) this.processes[rank]!.send(weights as Float32Array[]);
  }

  kill(rank: number): void {
    this.processes[rank]!.kill('SIGKILL');
  }

  /** Ends all that still run. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }),
    );
  }

  private started(rank: number, worldSize: number, start: StartMessage): ChildProcess {
    const child = fork(new URL('./rank.ts', import.meta.url), {
      serialization: 'advanced',
      env: { ...process.env, RANK: String(rank), WORLD_SIZE: String(worldSize) },
    });
    child.on('message', (report: RankReport) => {
      this.reports[rank] = report;
      this.wake();
    });
    child.on('exit', (code, signal) => {
      this.lost ??= new RankLost(rank, signal ?? `code ${code}`);
      this.wake();
    });
    // A message to a process that has just been killed: its exit says so.
    child.on('error', () => {});
    child.send(start);
    return child;
  }
}
