import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RandomStream } from '../../src/core/random.js';
import { sleep } from '../../src/core/runtime.js';
import { LivedTime, livedSleep } from './lived-time.js';
import { type Order, type Report, type Role, roleName, type SoakSettings } from './settings.js';

/** What a process took of the machine, over the life that lasted longest. */
export interface Sample {
  /** Milliseconds since the soak began. */
  readonly ms: number;
  readonly rss: number;
  readonly threads: number;
}

/** Bytes of memory at a time. */
export interface BytesAt {
  /** Milliseconds since the soak began. */
  readonly ms: number;
  readonly bytes: number;
}

/** Milliseconds that a process has to end once it was told to, its last work included, and once it said that all is closed. */
const stopMsMax = 240_000;
const leaveMsMax = 30_000;
/** Milliseconds between a kill and the next start, at most. */
const restartMsMax = 1500;
/** Threads that a process at rest may have more than when it first was: those of its runtime start when they are needed. */
const threadsMore = 8;

/**
 * Arenas that glibc's allocator has in each process. Left to itself it has eight for each core, and each keeps what its
 * fullest moment took: RSS then goes up by steps for hours in a process whose threads come and go, though nothing is held.
 */
export const mallocArenas: string = process.env['MALLOC_ARENA_MAX'] ?? '2';

/**
 * MiB of each half of the heap for young objects, fixed: V8 grows it from one to sixteen where much is made, and gives it back
 * when little is, so that RSS goes up and down by thirty and more where nothing is held.
 */
export const youngHeapMiB = 8;

/** One place in the crew: the process that fills it, and those that did before they were killed. */
export class Place {
  readonly role: Role;
  readonly name: string;
  readonly isMortal: boolean;
  lives = 0;
  kills = 0;
  samples: Sample[] = [];
  /** What collections left. */
  alive: BytesAt[] = [];
  #child: ChildProcess | undefined;
  #isReady = false;
  #isEnded = false;
  #restThreads: number | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  readonly #crew: Crew;
  #operations = { operations: 0, failures: 0 };

  constructor(crew: Crew, role: Role, isMortal: boolean) {
    this.role = role;
    this.name = roleName(role);
    this.isMortal = isMortal;
    this.#crew = crew;
  }

  start(): void {
    const { settings } = this.#crew;
    const script = fileURLToPath(new URL('member-main.ts', import.meta.url));
    // With what this process was told to load TypeScript by.
    const child = fork(script, [JSON.stringify(settings), JSON.stringify(this.role), `${this.lives++}`], {
      env: { ...process.env, MALLOC_ARENA_MAX: mallocArenas },
      execArgv: [...process.execArgv, `--min-semi-space-size=${youngHeapMiB}`, `--max-semi-space-size=${youngHeapMiB}`],
    });
    this.#child = child;
    this.#restThreads = undefined;
    this.#isReady = false;
    this.#isEnded = false;
    this.samples = [];
    this.alive = [];
    child.on('message', (report: Report) => this.#take(report));
    this.#gone = once(child, 'exit').then(async ([code, signal]) => {
      this.#crew.addOperations(this.#operations);
      this.#operations = { operations: 0, failures: 0 };
      if (signal === 'SIGKILL' && !this.#isEnded) {
        await sleep(restartMsMax * this.#crew.random.unit());
        this.start();
      } else if (code !== 0 || !this.#isEnded) {
        this.#crew.breach(`${this.name} ended by itself (${signal ?? code})`);
      }
    });
  }

  /** Ends the process without a word to it, unless it is still starting. */
  kill(): void {
    if (!this.#isReady || this.#child?.exitCode !== null || this.#child.signalCode !== null) return;
    this.kills++;
    this.#child.kill('SIGKILL');
  }

  send(order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order);
  }

  /** Tells the process to end, and waits until it is gone. */
  async stop(): Promise<void> {
    const isGone = async (): Promise<void> => {
      while (!this.#isEnded || this.#child?.exitCode === null) {
        const { lives } = this;
        this.send({ kind: 'stop' });
        await this.#gone;
        if (this.lives === lives) return;
      }
    };
    const late = new AbortController();
    const timeout = livedSleep(stopMsMax, late.signal).then(
      () => 'late',
      () => 'gone',
    );
    if ((await Promise.race([isGone(), timeout])) === 'late') {
      this.#crew.breach(`${this.name} had not ended ${stopMsMax / 1000} s after it was told to`);
      this.#isEnded = true;
      this.#child?.kill('SIGKILL');
    }
    late.abort();
  }

  #take(report: Report): void {
    const crew = this.#crew;
    switch (report.kind) {
      case 'ready':
        this.#isReady = true;
        crew.onReady(this);
        return;
      case 'vitals': {
        const { rss, threads, operations, failures } = report;
        this.samples.push({ ms: crew.time.ms, rss, threads });
        this.#operations = { operations, failures };
        return;
      }
      case 'alive':
        this.alive.push({ ms: crew.time.ms, bytes: report.bytes });
        return;
      case 'idle':
        this.#restThreads ??= report.threads;
        if (report.threads > this.#restThreads + threadsMore) {
          crew.breach(
            `${this.name} had ${this.#restThreads} threads after a round, and ${report.threads} after a later one`,
          );
        }
        return;
      case 'ended':
        this.#isEnded = true;
        if (report.resources.length > 0) crew.breach(`${this.name} left open: ${report.resources.join(', ')}`);
        this.#checkLeaves();
        return;
      case 'count':
        crew.count(report.name);
        return;
      case 'breach':
        crew.breach(report.text);
        return;
      default:
        crew.onReport(this, report);
    }
  }

  /** That a process which closed everything ends by itself. */
  async #checkLeaves(): Promise<void> {
    const late = new AbortController();
    const child = this.#child!;
    this.#gone.then(() => late.abort());
    await livedSleep(leaveMsMax, late.signal).then(
      () => {
        this.#crew.breach(`${this.name} was still there ${leaveMsMax / 1000} s after it had closed everything`);
        child.kill('SIGKILL');
      },
      () => {},
    );
  }
}

/** The processes of a soak, started again when they are killed, and what they told. */
export class Crew {
  readonly settings: SoakSettings;
  readonly random: RandomStream;
  readonly places: Place[] = [];
  readonly breaches: string[] = [];
  readonly counts: Map<string, number> = new Map<string, number>();
  readonly time: LivedTime = new LivedTime();
  operations = 0;
  failures = 0;
  onReady: (place: Place) => void = () => {};
  onReport: (place: Place, report: Extract<Report, { kind: 'acknowledged' | 'finished' }>) => void = () => {};

  constructor(settings: SoakSettings, random: RandomStream) {
    this.settings = settings;
    this.random = random;
  }

  add(role: Role, isMortal: boolean): Place {
    const place = new Place(this, role, isMortal);
    this.places.push(place);
    return place;
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  addOperations({ operations, failures }: { readonly operations: number; readonly failures: number }): void {
    this.operations += operations;
    this.failures += failures;
  }

  breach(text: string): void {
    this.breaches.push(text);
    process.stderr.write(`BREACH ${text}\n`);
  }
}
