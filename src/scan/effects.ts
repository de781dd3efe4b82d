import { setMaxListeners } from 'node:events';
import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { rowRanges } from '../arrow/ranges.js';
import { valueReader } from '../arrow/rows.js';
import { columnSources } from '../arrow/sources.js';
import { cancelled } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { SpiralError } from '../core/errors.js';
import { fetchBatchBytesMax, fetchConcurrency } from '../core/limits.js';
import { Semaphore } from '../core/semaphore.js';
import { type BoundEffect, type BoundExpr, effectsOf } from '../expr/bound.js';
import { type ExprInput, evaluate, selectRows } from '../expr/evaluate.js';
import { nodeText } from '../expr/node-text.js';
import { type EffectAccess, publicOnly } from './effect-access.js';
import { FetchCache } from './fetch-cache.js';
import { type Fetched, fetchedColumn } from './fetched.js';
import { fileGet } from './file-get.js';
import { HttpGet } from './http-get.js';
import { isPrivateAddress } from './private-address.js';
import type { QueryPlan } from './query-plan.js';
import { S3Get } from './s3-get.js';
import { callUdf, udfModule } from './udf.js';
import { UdfThreads } from './udf-threads.js';

/** Rows, and what effects gave for them, by the effect as JSON: where it stands twice it is computed once. */
interface Rows extends Omit<ExprInput, 'effects'> {
  readonly known?: ReadonlyMap<string, Data>;
}

const aborts = new AbortWatch();
const never = new AbortController().signal;

/** Computes a scan's expressions, with what runs code and fetches in them. */
export class Effects {
  readonly #access: EffectAccess;
  readonly #room = new Semaphore(fetchConcurrency);
  readonly #cache = new FetchCache();
  readonly #http: HttpGet;
  readonly #s3: S3Get;
  readonly #threads: UdfThreads;

  /**
   * @param access default: public addresses, no folder.
   * @param threads of whom has many scans, and ends them. Default: this one's own, which end with the process.
   * @throws SpiralError `permission_denied` for `file.get` and `s3.get` where no folder may be read; `invalid_transform` for a
   * module that is no URL.
   */
  constructor(
    plan: Pick<QueryPlan, 'outputs' | 'where'>,
    access: EffectAccess = publicOnly,
    threads: UdfThreads = new UdfThreads(),
  ) {
    this.#access = access;
    this.#threads = threads;
    this.#http = new HttpGet({ refuses: access.privateAddresses ? () => false : isPrivateAddress });
    this.#s3 = new S3Get({ folders: access.s3Folders });
    for (const effect of [plan.outputs, plan.where].flatMap((bound) => (bound === undefined ? [] : effectsOf(bound)))) {
      if (effect.node.fn === 'udf') udfModule(effect);
      else if (effect.node.fn === 'file.get' && access.folders.length === 0)
        throw noFolder(effect, 'effects.file_folders');
      else if (effect.node.fn === 's3.get' && access.s3Folders.length === 0)
        throw noFolder(effect, 'effects.s3_folders');
    }
  }

  /** `parts` for the rows of `input`. @throws SpiralError as `evaluate` and `callUdf`; `limit_exceeded`, `cancelled`. */
  async evaluate(parts: readonly BoundExpr[], input: Rows, signal: AbortSignal = never): Promise<Data[]> {
    const computed = await this.#computed(parts, input, signal);
    return parts.map((part) => evaluate(part, computed));
  }

  /**
   * The rows for which `where` is true, as `selectRows`. What it joins by `and` drops rows in turn: what only computes
   * first, then what runs code, then what fetches.
   */
  async select(where: BoundExpr, input: ExprInput, signal: AbortSignal = never): Promise<Int32Array | 'all'> {
    if (effectsOf(where).length === 0) return selectRows(where, input);
    let left: Rows = input;
    let kept: Int32Array | 'all' = 'all';
    for (const part of conjuncts(where).sort((a, b) => costOf(a) - costOf(b))) {
      const computed = await this.#computed([part], left, signal);
      const rows = selectRows(part, computed);
      if (rows === 'all') {
        left = computed;
        continue;
      }
      kept = kept === 'all' ? rows : rows.map((row) => (kept as Int32Array)[row]!);
      if (kept.length === 0) break;
      left = picked(computed, rows);
    }
    return kept;
  }

  /** `input` with the effects in `bounds`. */
  async #computed(bounds: readonly BoundExpr[], input: Rows, signal: AbortSignal): Promise<Rows & ExprInput> {
    const known = new Map(input.known);
    const effects = new Map<BoundEffect, Data>();
    for (const effect of bounds.flatMap(effectsOf)) {
      const key = JSON.stringify(effect.node);
      let data = known.get(key);
      if (data === undefined) {
        const args = effect.args.map((arg) => evaluate(arg, { ...input, effects }));
        data = input.rows === 0 ? nullColumn(effect.type, 0) : await this.#run(effect, args, input.rows, signal);
        known.set(key, data);
      }
      effects.set(effect, data);
    }
    return { ...input, known, effects };
  }

  #run(effect: BoundEffect, args: readonly Data[], rows: number, signal: AbortSignal): Promise<Data> {
    switch (effect.node.fn) {
      case 'udf':
        return this.#access.udfWorkers === 0
          ? callUdf(effect, args, rows, signal)
          : this.#threads.run(this.#access.udfWorkers, effect, args, rows, signal);
      case 'http.get':
        return this.#fetch(effect, args[0]!, signal, (url, own) => this.#http.get(url, own));
      case 's3.get':
        return this.#fetch(effect, args[0]!, signal, (uri, own) => this.#s3.get(uri, own));
      default:
        return this.#fetch(effect, args[0]!, signal, (path) => fileGet(path, this.#access.folders));
    }
  }

  /** What `get` gives for each of `places`, each different one got once. */
  async #fetch(
    effect: BoundEffect,
    places: Data,
    signal: AbortSignal,
    get: (place: string, signal: AbortSignal) => Promise<Fetched>,
  ): Promise<Data> {
    if (signal.aborted) throw cancelled(signal, 'The scan');
    const { fn } = effect.node;
    const read = valueReader(places);
    const asked = Array.from({ length: places.length }, (_, row) => read(row) as string | null);
    const counts = new Map<string, number>();
    for (const place of asked) if (place !== null) counts.set(place, (counts.get(place) ?? 0) + 1);
    const found = new Map<string, Fetched>();
    const all = new AbortController();
    setMaxListeners(2 * fetchConcurrency, all.signal);
    const leave = aborts.watch(signal, () => all.abort(cancelled(signal, 'The scan')));
    let bytes = 0;
    const one = async (place: string, times: number): Promise<void> => {
      all.signal.throwIfAborted();
      const fetched = this.#cache.get(`${fn} ${place}`) ?? (await get(place, all.signal));
      this.#cache.add(`${fn} ${place}`, fetched);
      found.set(place, fetched);
      bytes += times * (fetched.bytes?.length ?? 0);
      if (bytes > fetchBatchBytesMax) all.abort(tooMuch(effect, asked.length));
    };
    try {
      await Promise.all(Array.from(counts, ([place, times]) => this.#room.run(() => one(place, times))));
      all.signal.throwIfAborted();
    } catch (error) {
      all.abort(error);
      throw all.signal.reason;
    } finally {
      leave();
    }
    return fetchedColumn(
      fn,
      effect.type,
      asked.map((place) => (place === null ? null : found.get(place)!)),
    );
  }
}

/** What `where` joins by `and`. */
function conjuncts(where: BoundExpr): BoundExpr[] {
  return where.kind === 'call' && where.node.fn === 'and' ? where.args.flatMap(conjuncts) : [where];
}

/** 0 for what only computes, 1 for what runs code, 2 for what fetches. */
function costOf(bound: BoundExpr): number {
  return Math.max(0, ...effectsOf(bound).map(({ node }) => (node.fn === 'udf' ? 1 : 2)));
}

/** Rows number `rows` of `input`. */
function picked(input: Rows, rows: Int32Array): Rows {
  const ranges = rowRanges(new Int32Array(rows.length), rows);
  const pick = <Key>(columns: ReadonlyMap<Key, Data>): Map<Key, Data> =>
    new Map(
      Array.from(columns, ([key, data]) => [key, gatherColumn(columnSources(data.type, [data]), ranges)] as const),
    );
  return {
    rows: rows.length,
    columns: pick(input.columns),
    ...(input.aux === undefined ? {} : { aux: pick(input.aux) }),
    known: pick(input.known ?? new Map<string, Data>()),
  };
}

function noFolder({ node }: BoundEffect, setting: 'effects.file_folders' | 'effects.s3_folders'): SpiralError {
  const what = setting === 'effects.s3_folders' ? 'objects of S3' : 'files';
  return new SpiralError(
    'permission_denied',
    `The expression ${nodeText(node)} reads ${what}, and this client allows no folder for that. Name the folders in its ` +
      `setting '${setting}'.`,
    { details: { expression: nodeText(node), setting } },
  );
}

function tooMuch({ node }: BoundEffect, rows: number): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected ${nodeText(node)} to fetch at most ${fetchBatchBytesMax} bytes for a batch, got more for one of ${rows} rows. ` +
      'Read fewer rows at once: cut the scan into small shards with `computeShards`.',
    { details: { expression: nodeText(node), rows, bytesMax: fetchBatchBytesMax } },
  );
}
