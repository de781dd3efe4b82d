/**
 * The process of one side: `side-main.ts <benchmark> <side> [--quick]` opens it and does what it is told, so that its
 * memory and its machine code are its own. `side-main.ts --data <set> [--quick]` makes a data set.
 */

import type { OpenSide, Pass } from './benchmark.js';
import { catalogue } from './catalogue.js';
import { median, medians, quantile } from './quantile.js';
import { scaleOf } from './scale.js';
import type { Answer, Order, Turn } from './turn.js';

const [first, second] = process.argv.slice(2);
const scale = scaleOf(process.argv.includes('--quick'));

/** A pass, and how long it took. */
type TimedPass = Pass & { readonly ms: number };

/** Passes until they have taken `msMin`: short ones are then compiled, and their time is more than the clock's noise. */
async function passes(side: OpenSide, msMin: number): Promise<TimedPass[]> {
  const all: TimedPass[] = [];
  for (let total = 0; total < msMin; total += all.at(-1)!.ms) {
    const start = performance.now();
    const pass = await side.pass();
    all.push({ ...pass, ms: performance.now() - start });
  }
  return all;
}

/** How long the last pass took; nothing goes before the first of all, which is part of the warm-up. */
let lastPassMs = Number.POSITIVE_INFINITY;

/**
 * Passes that take `msMin`. Where they are shorter than that, as many go before them and do not count: they find the
 * caches of the machine full of their neighbours' data, and a young heap that V8 shrank while it rested. No collection is
 * asked for: after one V8 keeps its limits so low that it marks the whole heap every 30 ms, which doubles the CPU time of a
 * pass and which no training loop ever sees.
 */
async function timed(side: OpenSide, msMin: number): Promise<Turn> {
  if (lastPassMs < msMin) await passes(side, msMin);
  const all = await passes(side, msMin);
  lastPassMs = all.at(-1)!.ms;
  const sum = (of: (pass: TimedPass) => number): number => all.reduce((total, pass) => total + of(pass), 0);
  const nextMs = all.flatMap((pass) => Array.from(pass.nextMs ?? []));
  const hasNext = nextMs.length > 0;
  return {
    rows: sum((pass) => pass.rows),
    bytes: sum((pass) => pass.bytes),
    ms: sum((pass) => pass.ms),
    nextP50Us: hasNext ? median(nextMs) * 1000 : null,
    nextP99Us: hasNext ? quantile(nextMs, 0.99) * 1000 : null,
    waitMs: hasNext ? nextMs.reduce((total, one) => total + one, 0) : null,
    values: medians(all.flatMap(({ values }) => (values === undefined ? [] : [values]))),
  };
}

async function obey(side: OpenSide, order: Order): Promise<Answer> {
  if (order.do === 'pass') return { kind: 'turn', turn: await timed(side, order.msMin) };
  if (order.do === 'held') return { kind: 'held', bytes: (await side.held?.()) ?? null };
  await side.close?.();
  return { kind: 'ended', peakRssBytes: process.resourceUsage().maxRSS * 1024 };
}

function tell(answer: Answer): void {
  process.send?.(answer, () => {
    if (answer.kind === 'ended' || answer.kind === 'failed') process.exit(0);
  });
}

function failed(error: unknown): void {
  tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

if (first === '--data') {
  const benchmarks = await Promise.all(catalogue.map(({ load }) => load()));
  await benchmarks
    .flatMap(({ data }) => data)
    .find(({ name }) => name === second)!
    .make(scale);
} else {
  try {
    const benchmark = await catalogue.find((one) => one.name === first)?.load();
    const side = benchmark?.sides.find((one) => one.name === second);
    if (side === undefined) throw new Error(`There is no side '${second}' of a benchmark '${first}'.`);
    const open = await side.open(scale);
    process.on('message', (order: Order) => void obey(open, order).then(tell, failed));
    tell({ kind: 'ready' });
  } catch (error) {
    failed(error);
  }
}
