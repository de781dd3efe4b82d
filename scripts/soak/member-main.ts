/** One process of a soak: forked by `crew.ts` with its settings, its role and how often it was started before. */
import { isSpiralError } from '../../src/core/errors.js';
import { deriveSeed, type RandomStream, randomStream } from '../../src/core/random.js';
import { every, monotonicMs, sleep } from '../../src/core/runtime.js';
import { aliveMs, bytesAlive } from './bytes-alive.js';
import { keep } from './keeper.js';
import { type Member, threadCount } from './member.js';
import { load } from './rank.js';
import { type Leg, type Order, type Report, type Role, roleName, type SoakSettings } from './settings.js';
import { SoakWarehouse } from './soak-warehouse.js';
import { write } from './writer.js';

const insistMax = 50;
/** Milliseconds between two reports of what a process takes. */
const vitalsMs = 2000;
/** Times 50 ms in which what is under way, such as a file that is being closed, may come to its end. */
const settleTries = 40;

class SoakMember implements Member {
  readonly settings: SoakSettings;
  readonly name: string;
  readonly warehouse: SoakWarehouse;
  readonly random: RandomStream;
  readonly #stop = new AbortController();
  readonly #legs: Leg[] = [];
  #aliveToldMs = monotonicMs();
  #newest = -1;
  #wake: () => void = () => {};

  constructor(settings: SoakSettings, role: Role, life: number) {
    this.settings = settings;
    this.name = roleName(role);
    this.random = randomStream('member', settings.seed, this.name, life);
    const seed = deriveSeed('faults', settings.seed, this.name, life);
    this.warehouse = new SoakWarehouse(settings.uri, this.name, seed);
    process.on('message', (order: Order) => {
      if (order.kind === 'stop') this.#stop.abort();
      // A leg that is told to a process as it starts is told again when it is ready.
      else if (order.number > this.#newest) this.#legs.push({ ...order, number: (this.#newest = order.number) });
      this.#wake();
    });
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  readonly send = (report: Report): void => {
    process.send?.(report);
  };

  async nextLeg(): Promise<Leg | undefined> {
    while (this.#legs.length === 0 && !this.stopped.aborted) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    return this.#legs.shift();
  }

  readonly tellAlive = (): void => {
    if (monotonicMs() - this.#aliveToldMs < aliveMs) return;
    this.#aliveToldMs = monotonicMs();
    this.send({ kind: 'alive', bytes: bytesAlive() });
  };

  readonly insist = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!isSpiralError(error, 'unavailable') || tries === insistMax) throw error;
        this.send({ kind: 'count', name: 'operations that failed though they were tried again' });
      }
    }
  };
}

const [settingsJson, roleJson, life] = process.argv.slice(2);
const settings = JSON.parse(settingsJson!) as SoakSettings;
const role = JSON.parse(roleJson!) as Role;
const member = new SoakMember(settings, role, Number(life));
// Without the process that watches over it, it has nothing to do.
process.on('disconnect', () => process.exit(3));
const tell = (): void =>
  member.send({
    kind: 'vitals',
    rss: process.memoryUsage.rss(),
    threads: threadCount(),
    ...member.warehouse.operations,
  });
const stopTelling = every(vitalsMs, tell);
member.send({ kind: 'ready' });
try {
  if (role.kind === 'writer') await write(member, role.writer);
  else if (role.kind === 'keeper') await keep(member);
  else await load(member, role);
  await member.warehouse.close();
  tell();
} catch (error) {
  const text =
    error instanceof Error
      ? `${error.stack} ${JSON.stringify((error as { details?: unknown }).details ?? {})}`
      : String(error);
  member.send({ kind: 'breach', text: `${member.name} failed: ${text}` });
}
stopTelling();
// The pipes to the process that watches over it are the soak's own.
const own = new Set(['Pipe', 'PipeWrap', 'TTYWrap']);
const open = (): string[] => process.getActiveResourcesInfo().filter((name) => !own.has(name));
let resources = open();
for (let tries = 0; resources.length > 0 && tries < settleTries; tries++) {
  await sleep(50);
  resources = open();
}
member.send({ kind: 'ended', resources });
process.removeAllListeners('disconnect');
process.disconnect();
