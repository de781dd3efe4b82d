import { SpiralError, shown } from '../core/errors.js';
import { importPeer, isNotFound } from '../core/peer.js';
import type { ObservedBatch } from './observer.js';

/** What metrics are recorded with: a `Meter` of `@opentelemetry/api`, or anything of this shape. */
export interface LoaderMeter {
  createCounter(name: string, options?: InstrumentOptions): { add(value: number, attributes?: Attributes): void };
  createHistogram(name: string, options?: InstrumentOptions): { record(value: number, attributes?: Attributes): void };
}

interface InstrumentOptions {
  readonly unit?: string;
  readonly description?: string;
}

type Attributes = Record<string, string | number>;

/** The part of `@opentelemetry/api` that is used. */
interface MetricsApi {
  readonly metrics: { getMeter(name: string): LoaderMeter };
}

const packageName = '@opentelemetry/api';

/** The counters, by the end of their names. */
const counters = {
  rows: ['{row}', 'Rows given to the consumer'],
  batches: ['{batch}', 'Batches given to the consumer'],
  bytes: ['By', 'Bytes of the batches given to the consumer'],
} as const;

/** The histograms of each batch. Decoding is part of reading. */
const histograms = {
  wait: ['ms', 'Time of a batch inside next(), inline transform included'],
  read: ['ms', 'Time that a batch waited for its rows to be read and decoded'],
  shuffle: ['ms', 'Time of drawing the rows of a batch'],
  map: ['ms', 'Time of a batch in a transform module'],
  transform: ['ms', 'Time of a batch in an inline transform'],
  'queue.depth': ['{batch}', 'Batches that were ready behind the one taken'],
  'memory.held': ['By', 'Bytes that the loader held behind a batch'],
} as const;

/** Records what a loader gives as OpenTelemetry metrics named `spiral.loader.…`, each with the attribute `spiral.loader.rank`. */
export class LoaderMetrics {
  readonly #meter: LoaderMeter | undefined;
  readonly #attributes: Attributes;
  #record: ((batch: ObservedBatch) => void) | undefined;

  /** For `meter`; without one for that of the process's own meter provider. */
  constructor(meter: LoaderMeter | undefined, rank: number) {
    this.#meter = meter;
    this.#attributes = { 'spiral.loader.rank': rank };
  }

  /** @throws SpiralError `missing_peer` where `@opentelemetry/api` is needed and not installed. */
  async open(): Promise<void> {
    if (this.#record !== undefined) return;
    const meter = this.#meter ?? (await ownMeter());
    const counter = (name: keyof typeof counters) =>
      meter.createCounter(`spiral.loader.${name}`, about(counters[name]));
    const histogram = (name: keyof typeof histograms) =>
      meter.createHistogram(`spiral.loader.${name}`, about(histograms[name]));
    const [rows, batches, bytes] = [counter('rows'), counter('batches'), counter('bytes')];
    const [wait, read, shuffle] = [histogram('wait'), histogram('read'), histogram('shuffle')];
    const [map, transform] = [histogram('map'), histogram('transform')];
    const [depth, held] = [histogram('queue.depth'), histogram('memory.held')];
    this.#record = (batch) => {
      const { times } = batch;
      rows.add(batch.rowIds.length, this.#attributes);
      batches.add(1, this.#attributes);
      bytes.add(batch.bytes, this.#attributes);
      wait.record(times.waitMs, this.#attributes);
      read.record(times.readMs, this.#attributes);
      shuffle.record(times.shuffleMs, this.#attributes);
      map.record(times.mapMs, this.#attributes);
      transform.record(times.transformMs, this.#attributes);
      depth.record(batch.queueDepth, this.#attributes);
      held.record(batch.figures.heldBytes, this.#attributes);
    };
  }

  add(batch: ObservedBatch): void {
    this.#record?.(batch);
  }
}

/** Checks the option `metrics`. @throws SpiralError `invalid_argument` for anything but a flag or a meter. */
export function checkMetrics(value: unknown): boolean | LoaderMeter {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  const meter = value as Partial<LoaderMeter> | null;
  if (typeof meter?.createCounter === 'function' && typeof meter.createHistogram === 'function')
    return meter as LoaderMeter;
  throw new SpiralError(
    'invalid_argument',
    'Expected `metrics` to be true, false or a Meter of `@opentelemetry/api`, with createCounter and createHistogram, got ' +
      `${shown(value)}.`,
    { details: { name: 'metrics', found: value } },
  );
}

function about([unit, description]: readonly [string, string]): InstrumentOptions {
  return { unit, description };
}

async function ownMeter(): Promise<LoaderMeter> {
  try {
    return (await importPeer<MetricsApi>(packageName)).metrics.getMeter('spiral-loader');
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
    throw new SpiralError(
      'missing_peer',
      `Expected ${packageName} to be installed, as \`metrics\` is true, found none. Run \`npm install ${packageName}\`, pass ` +
        'a Meter, or leave out `metrics`.',
      { details: { package: packageName }, cause },
    );
  }
}
