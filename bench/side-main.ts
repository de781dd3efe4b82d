/**
 * The process of one side: `side-main.ts <benchmark> <side> [--quick]` opens it and does what it is told, so that its
 * memory and its machine code are its own. `side-main.ts --data <set> [--quick]` makes a data set.
 */

import type { OpenSide } from './benchmark.js';
import { benchmarks } from './catalogue.js';
import { median, medians, quantile } from './quantile.js';
import { scaleOf } from './scale.js';
import type { Answer, Order, Turn } from './turn.js';

const [first, second] = process.argv.slice(2);
const scale = scaleOf(process.argv.includes('--quick'));

/**
 * Passes until the work has taken `msMin`: short ones are then compiled, and their time is more than the clock's noise. It
 * never asks for a collection first: after one that was asked for V8 keeps its limits so low that it marks the whole heap
 * every 30 ms, which doubles the CPU time of a pass and which no training loop ever sees.
 */
async function timed(side: OpenSide, msMin: number): Promise<Turn> {
  const nexts: Float64Array[] = [];
  const values: Readonly<Record<string, number>>[] = [];
  let [rows, bytes, ms] = [0, 0, 0];
  while (ms < msMin) {
    const start = performance.now();
    const pass = await side.pass();
    ms += performance.now() - start;
    rows += pass.rows;
    bytes += pass.bytes;
    if (pass.nextMs !== undefined) nexts.push(pass.nextMs);
    if (pass.values !== undefined) values.push(pass.values);
  }
  const nextMs = nexts.flatMap((each) => Array.from(each));
  const hasNext = nextMs.length > 0;
  return {
    rows,
    bytes,
    ms,
    nextP50Us: hasNext ? median(nextMs) * 1000 : null,
    nextP99Us: hasNext ? quantile(nextMs, 0.99) * 1000 : null,
    waitMs: hasNext ? nextMs.reduce((sum, one) => sum + one, 0) : null,
    values: medians(values),
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
  await benchmarks
    .flatMap(({ data }) => data)
    .find(({ name }) => name === second)!
    .make(scale);
} else {
  try {
    const benchmark = benchmarks.find((one) => one.name === first);
    const side = benchmark?.sides.find((one) => one.name === second);
    if (side === undefined) throw new Error(`There is no side '${second}' of a benchmark '${first}'.`);
    const open = await side.open(scale);
    process.on('message', (order: Order) => void obey(open, order).then(tell, failed));
    tell({ kind: 'ready' });
  } catch (error) {
    failed(error);
  }
}
