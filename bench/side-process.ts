import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Order, Turn } from './turn.js';
import { typescriptHooks } from './typescript.js';

const main = fileURLToPath(new URL('side-main.ts', import.meta.url));

/**
 * Starts the process of a side, or of a data set. A side stands still for seconds while others have their turn, and V8 takes
 * eight of them for leave to shrink the heap: from then on it would let it grow by a third between two collections, for
 * good, and mark it all every 12 ms of reading, which takes three times as long. Nothing that reads on comes to that.
 */
export function forkSide(args: readonly string[], flags: readonly string[] = []): ChildProcess {
  return fork(main, args, {
    execArgv: ['--import', typescriptHooks, '--expose-gc', '--no-memory-reducer', ...flags],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}

/** The process of one side, waiting for orders. */
export class SideProcess {
  readonly name: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /** Starts the side `name` and waits until it is open. @throws Error with what the side said. */
  static async start(
    benchmark: string,
    name: string,
    flags: { quick: boolean; profile: boolean },
  ): Promise<SideProcess> {
    const args = [benchmark, name, ...(flags.quick ? ['--quick'] : [])];
    const side = new SideProcess(name, forkSide(args, flags.profile ? ['--cpu-prof'] : []));
    await side.#answer('ready');
    return side;
  }

  /** Timed passes, until they have taken `msMin` together. */
  async pass(msMin: number): Promise<Turn> {
    return (await this.#ask({ do: 'pass', msMin }, 'turn')).turn;
  }

  /** Bytes held, see `OpenSide.held`; null where the side has no such measure. */
  async held(): Promise<number | null> {
    return (await this.#ask({ do: 'held' }, 'held')).bytes;
  }

  /** Ends the process; resolves with the most memory it ever took. */
  async end(): Promise<number> {
    return (await this.#ask({ do: 'end' }, 'ended')).peakRssBytes;
  }

  /** Ends the process without asking. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask<K extends Answer['kind']>(order: Order, kind: K): Promise<Extract<Answer, { kind: K }>> {
    const answer = this.#answer(kind);
    this.#child.send(order);
    return answer;
  }

  async #answer<K extends Answer['kind']>(kind: K): Promise<Extract<Answer, { kind: K }>> {
    const gone = new AbortController();
    const answered = once(this.#child, 'message', { signal: gone.signal });
    const exited = once(this.#child, 'exit', { signal: gone.signal }).then(([code, signal]) => [
      { kind: 'failed', message: `its process ended with ${code ?? signal}` },
    ]);
    answered.catch(() => {});
    exited.catch(() => {});
    const [answer] = (await Promise.race([answered, exited])) as [Answer];
    gone.abort();
    if (answer.kind === kind) return answer as Extract<Answer, { kind: K }>;
    throw new Error(answer.kind === 'failed' ? answer.message : `Expected '${kind}', got '${answer.kind}'.`);
  }
}
