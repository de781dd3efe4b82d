import { Worker } from 'node:worker_threads';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { cores } from '../core/runtime.js';
import type { ExportedDataSet, MdsExportOptions, Scan, Shard } from '../index.js';
import type { Call, CommandSpec, Door } from './command.js';
import type { ConvertAnswer, ConvertJob } from './convert-thread.js';
import { done, misuse } from './failure.js';
import { progressOf } from './progress.js';
import { columnsOf, openScan, queryOptions, sourceArgument } from './source.js';

/** Shards that the rows of a part are dealt from, so that parts are about equal. */
const shardsPerPart = 8;

/** `spiral stream merge | convert`. */
export const convertCommands: readonly CommandSpec[] = [
  {
    words: ['stream', 'merge'],
    about: 'make one data set of those below a folder, by an index.json in it; shards stay where they are',
    arguments: [{ name: 'folder', about: 'a path or the URI of a store' }],
    examples: ['stream merge data/c4'],
    stops: true,
    run: async ({ door, line, out, signal }) => {
      const merged = await door.mergeIndex(line.argument('folder'), { signal });
      const facts = [
        ['data sets', out.count(merged.indexes.length)],
        ['shards', out.count(merged.shards)],
        ['samples', out.count(merged.samples)],
      ] as const;
      await out.facts(facts, merged);
      return done;
    },
  },
  {
    words: ['stream', 'convert'],
    about:
      'write a table, or files, as a data set of MosaicML Streaming, with all cores: a folder each, and a merged index',
    arguments: [sourceArgument, { name: 'out', about: 'a folder that is empty or not there, or the URI of a store' }],
    options: [
      ...queryOptions,
      { name: 'encode', value: 'column=encoding', kind: 'list', about: 'of one column; may be given again' },
      { name: 'compression', value: 'name', about: 'br, bz2, gz, snappy or zstd, with a level as in zstd:7' },
      { name: 'hashes', value: 'names', about: 'of each file, into the index: sha1,xxh64' },
      {
        name: 'size-limit',
        value: 'bytes',
        kind: 'bytes',
        otherwise: '64mb',
        about: 'of a shard before it is compressed',
      },
      {
        name: 'parts',
        value: 'count',
        kind: 'count',
        about: 'threads, each with a folder of its own; as many as cores',
      },
    ],
    examples: [
      'stream convert demo/images data/images --compression zstd --hashes xxh64',
      "stream convert --files 'corpus/*.parquet' data/corpus --select text,label --encode text=str",
    ],
    stops: true,
    run: convert,
  },
];

async function convert(call: Call): Promise<number> {
  const { line, out, signal } = call;
  const scan = await openScan(call);
  const target = line.argument('out').replace(/\/+$/, '');
  const parts = await partsOf(scan, line.count('parts') ?? cores(), signal);
  const options = writingOptions(call);
  const written =
    parts.length < 2
      ? await scan.toMds(target, { ...options, signal })
      : await inParts(call, scan, target, parts, options);
  const facts = [
    ['data set', target],
    ['samples', out.count(written.rows)],
    ['shards', out.count(written.shards)],
    ['bytes', out.bytes(written.bytes)],
    ['parts', out.count(Math.max(1, parts.length))],
  ] as const;
  await out.facts(facts, { uri: target, ...written, parts: Math.max(1, parts.length) });
  return done;
}

/** Writes each part in a thread, and the index of all once they are there. */
async function inParts(
  call: Call,
  scan: Scan,
  target: string,
  parts: readonly (readonly Shard[])[],
  options: MdsExportOptions,
): Promise<ExportedDataSet> {
  const { door, signal, overrides, out } = call;
  await checkFree(call, target);
  const folders = parts.map((_, at) => `${target}/part-${String(at).padStart(5, '0')}`);
  using progress = progressOf(out, 'convert', 'parts');
  const abort = new AbortController();
  const either = AbortSignal.any([signal, abort.signal]);
  let ended = 0;
  const work = parts.map(async (shards, at) => {
    const stateJson = scan.stateJson();
    try {
      return await inThread(
        { overrides, stateJson, shards: shards.map((shard) => shard.toJSON()), out: folders[at]!, options },
        either,
      );
    } catch (error) {
      // One that fails ends the others, whose own error would say only that.
      abort.abort();
      throw error;
    } finally {
      progress.show(++ended, parts.length);
    }
  });
  const results = await Promise.allSettled(work);
  progress.end();
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0) {
    // A folder that was refused has what others wrote; the rest is what this conversion did, whole or not.
    const isOwn = (result: PromiseSettledResult<ExportedDataSet>): boolean =>
      result.status === 'fulfilled' || !isSpiralError(result.reason, 'already_exists');
    await Promise.all(folders.map((folder, at) => isOwn(results[at]!) && emptied(door, folder)));
    throw failures.find((error) => !isSpiralError(error, 'cancelled')) ?? failures[0];
  }
  const { samples, shards } = await door.mergeIndex(folders, { out: target, signal });
  const bytes = results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value.bytes : 0), 0);
  return { rows: samples, shards, bytes };
}

/** Deletes the data set in `folder`, as a writer does that takes its place and then gives up. */
async function emptied(door: Door, folder: string): Promise<void> {
  const writer = new door.MDSWriter({ out: folder, columns: { none: 'int' }, existOk: true });
  await writer.start();
  await writer.discard();
}

function inThread(job: ConvertJob, signal: AbortSignal): Promise<ExportedDataSet> {
  return new Promise((resolve, reject) => {
    // The command may lie in a chunk beside `cli`.
    const thread = new Worker(new URL('../cli/convert-thread.js', import.meta.url), { workerData: job });
    const onAbort = (): void => thread.postMessage('stop');
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    thread.once('message', (answer: ConvertAnswer) => {
      if ('written' in answer) resolve(answer.written);
      else reject(new SpiralError(answer.code, `${answer.message} (${job.out})`, { details: answer.details }));
    });
    thread.once('error', reject);
    thread.once('exit', (code) => {
      signal.removeEventListener('abort', onAbort);
      reject(new SpiralError('worker_died', `A thread that wrote ${job.out} ended with code ${code}.`));
    });
  });
}

/** The shards of each part: neighbours, of about equally many rows. A scan of few rows has fewer parts. */
async function partsOf(scan: Scan, parts: number, signal: AbortSignal): Promise<Shard[][]> {
  if (parts < 1) throw misuse('Expected --parts to be at least 1.');
  const stored = (await scan.shards()).reduce((sum, { physicalRows }) => sum + physicalRows, 0);
  if (parts === 1 || stored === 0) return [];
  const dealt: Shard[] = [];
  const most = Math.max(1, Math.ceil(stored / (parts * shardsPerPart)));
  for await (const shard of scan.countedShards(most, signal)) dealt.push(shard);
  const rows = dealt.reduce((sum, { cardinality }) => sum + (cardinality ?? 0), 0);
  const groups: Shard[][] = [];
  let before = 0;
  for (const shard of dealt) {
    const group = Math.min(parts - 1, Math.floor((before / Math.max(1, rows)) * parts));
    (groups[group] ??= []).push(shard);
    before += shard.cardinality ?? 0;
  }
  return groups.filter((group) => group !== undefined);
}

function writingOptions({ line }: Call): MdsExportOptions {
  const [compression, hashes] = [line.text('compression'), line.text('hashes')];
  const encodings = (line.list('encode') ?? []).map((pair): [string, string] => {
    const at = pair.lastIndexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
    throw misuse(`Expected --encode to be given column=encoding, such as text=str, got '${pair}'.`);
  });
  return {
    hideProgressBar: line.flag('quiet'),
    sizeLimit: line.count('size-limit')!,
    ...(encodings.length > 0 && { columns: Object.fromEntries(encodings) }),
    ...(compression !== undefined && { compression }),
    ...(hashes !== undefined && { hashes: columnsOf(hashes) }),
  };
}

async function checkFree({ door, signal }: Call, target: string): Promise<void> {
  const there = await door.inspectMds(target, { signal }).catch((error: unknown) => {
    if (isSpiralError(error, 'not_found')) return undefined;
    throw error;
  });
  if (there === undefined) return;
  throw new SpiralError(
    'already_exists',
    `Expected no data set in ${there.uri}, found one of ${there.samples} samples. Take another folder.`,
    { details: { uri: there.uri, samples: there.samples } },
  );
}
