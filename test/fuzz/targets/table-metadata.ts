import { SpiralError } from '../../../src/core/errors.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import { openStore } from '../../../src/storage/open-store.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/table/checkpoint.js';
import { columnTree, treeSchema } from '../../../src/table/column.js';
import { decodeFrame, encodeFrame } from '../../../src/table/frame.js';
import { keyText } from '../../../src/table/key-values.js';
import type { Commit, WriteOperation } from '../../../src/table/operation.js';
import { operationJson, parseOperationJson } from '../../../src/table/operation-json.js';
import { parseCommit } from '../../../src/table/parse-commit.js';
import { TableStore } from '../../../src/table/table-store.js';
import { putDump, readDump } from '../../../src/table/transaction-dump.js';
import { isKept } from '../../../src/table/upkeep-log.js';
import { UpkeepSums } from '../../../src/table/upkeep-sums.js';
import {
  newColumnId,
  rebase,
  replay,
  type TableVersion,
  versionFiles,
  withOperations,
} from '../../../src/table/version.js';
import { type FuzzTarget, jsonBytes, type OpenTarget, textOf, valueInputs } from '../fuzz-target.js';
import { pick } from '../mutate-bytes.js';
import { mutateText } from '../mutate-text.js';
import type { Plain } from '../mutate-value.js';

const entryFrame = { mark: 0x474c5053, layout: 1, what: 'a log entry' };
const sumFrame = { mark: 0x554c5053, layout: 1, what: 'a sum of tags' };
const checkpointFrame = { mark: 0x434c5053, layout: 1, what: 'a checkpoint' };

/** A write of two rows; its files are never read here. */
function writeOf(number: number): WriteOperation {
  const key = (row: number): Uint8Array => Uint8Array.of(0x80, 0, 0, 0, 0, number >> 8, number & 255, row);
  const columns = [
    { path: ['id'], type: 'int64', id: 0 },
    { path: ['s', `c${number % 3}`], type: 'list<struct<{a: utf8, b: float64}>>', id: newColumnId },
  ];
  const files = [
    { path: `data/${number}.arrow`, bytes: number + 1, columns: [0] },
    { path: `data/${number}-s.arrow`, bytes: 2 ** 40 + number, columns: [1] },
  ];
  const [keyMin, keyMax] = [key(1), key(2)];
  const keyDigest = new Uint8Array(32).fill(number);
  const batchKeys = [keyMin, keyMax];
  return {
    kind: 'write',
    columns,
    fragments: [{ rows: 2, batchRows: 1, keyMin, keyMax, batchKeys, keyDigest, files }],
  };
}

/** The commits of a table: creation, writes, a deletion, a compaction, a drop. */
async function commitsOfSeed(): Promise<Commit[]> {
  const store = memoryStore();
  await TableStore.create(store, { kind: 'create', tableId: 't', keys: [{ path: ['id'], type: 'int64', id: 0 }] });
  const table = new TableStore(store, 't');
  for (let number = 1; number < 4; number++) await table.commit([writeOf(number)]);
  const [fragment] = writeOf(9).fragments;
  await table.commit([
    {
      kind: 'delete',
      columns: [{ path: ['id'], type: 'int64', id: 0 }],
      fragments: [{ ...fragment!, files: [fragment!.files[0]!] }],
    },
  ]);
  await table.commit([
    { kind: 'compact', columns: [0, 1], rewrites: [{ replaced: [{ commit: 2, ordinal: 0 }], fragments: [fragment!] }] },
  ]);
  await table.commit([{ kind: 'drop', columns: [{ path: ['s', 'c2'], id: newColumnId }] }]);
  return [...(await table.log.entries())];
}

/** Looks at all of a version, some of which is made when it is asked for. */
function lookAt(version: TableVersion): void {
  const types = version.keys.map(({ type }) => type);
  for (const { keyMin, keyMax, batchKeys, keyDigest, rows, deletes } of version.fragments) {
    for (const key of [keyMin, keyMax, ...batchKeys]) keyText(key, types);
    if (keyDigest.length + rows + Number(deletes) < 0) throw new Error('A fragment of less than nothing.');
  }
  treeSchema(columnTree(version.columns));
  let bytes = 0;
  for (const file of versionFiles(version)) bytes += file.bytes;
  if (Number.isNaN(bytes)) throw new Error('Files of no number of bytes.');
}

/** An input is the number of the entry that it takes the place of, and the entry. */
async function openEntries(): Promise<OpenTarget> {
  const commits = await commitsOfSeed();
  const values = commits.map((commit, at) => [at, commit as unknown as Plain]);
  const encode = (value: Plain): Uint8Array => {
    const [at, commit] = Array.isArray(value) ? value : [0, value];
    const frame = encodeFrame(entryFrame, commit ?? null);
    return new Uint8Array(Buffer.concat([Uint8Array.of(typeof at === 'number' ? at % commits.length : 0), frame]));
  };
  return valueInputs(values, encode, async (bytes) => {
    const commit = parseCommit(decodeFrame(entryFrame, bytes.subarray(1)));
    lookAt(replay([...commits.slice(0, bytes[0]), commit], 'the log'));
    const version = replay(commits.slice(0, -1), 'the log');
    const operations = commit.operations.filter(({ kind }) => kind === 'write' || kind === 'delete');
    lookAt(withOperations(version, rebase(operations, version, 'the log')));
  });
}

async function openCheckpoints(): Promise<OpenTarget> {
  const commits = await commitsOfSeed();
  const versions = [replay(commits, 'the log'), replay(commits.slice(0, 3), 'the log')];
  return valueInputs(
    versions.map((version) => decodeFrame(checkpointFrame, encodeCheckpoint(version)) as Plain),
    (value) => encodeFrame(checkpointFrame, value),
    async (bytes) => {
      const version = decodeCheckpoint(bytes);
      lookAt(version);
      encodeCheckpoint(version);
      lookAt(
        replay(
          [{ transaction: 'x', time: version.time + 1, operations: [writeOf(5)], author: undefined }],
          'the log',
          version,
          version.version,
        ),
      );
    },
  );
}

/** What a transaction left in a file, and what is made of it again. */
async function openDumps(): Promise<OpenTarget> {
  const made = [writeOf(1), { kind: 'drop' as const, columns: [{ path: ['s'], id: 3 }] }];
  const operations = made.map((operation) => operationJson({ table: 't', base: 2, operation }));
  const uri = 'memory://fuzz-dumps/dump.json';
  await putDump(uri, 'transaction', operations);
  const store = openStore('memory://fuzz-dumps');
  const dump = JSON.parse(textOf(await store.get('dump.json'))) as Plain;
  const text = JSON.stringify(dump);
  const whole = valueInputs([dump], jsonBytes, async (bytes) => {
    await store.put('dump.json', bytes);
    for (const operation of await readDump(uri)) parseOperationJson(operation);
  });
  return {
    ...whole,
    input: (draw) =>
      draw.below(4) === 0 ? Buffer.from(mutateText(text, draw, pick([text], draw))) : whole.input(draw),
  };
}

/** What a sum of tags says is believed, as no change behind it is looked at: it must be a sum, or none. */
async function openUpkeepSums(): Promise<OpenTarget> {
  const store = memoryStore();
  const sums = new UpkeepSums(store);
  const path = `upkeep-sums/${'128'.padStart(20, '0')}`;
  const tags = [1, 7].map((version) => ({
    name: `v${version}`,
    version,
    time: 5,
    made: 6,
    author: version > 1 ? 'me' : null,
  }));
  const upkeep = { floor: 3, floorTime: 4, tags: new Map(tags.map((tag) => [tag.name, tag])) };
  await sums.write({ count: 128, upkeep });
  const seed = decodeFrame(sumFrame, await store.get(path)) as Plain;
  return valueInputs(
    [seed],
    (value) => encodeFrame(sumFrame, value),
    async (bytes) => {
      await store.put(path, bytes);
      const found = await sums.newest({ reached: 128, summed: 128 });
      if (found === undefined) throw new SpiralError('corrupt_log', 'No sum.');
      for (const { version } of found.upkeep.tags.values()) isKept(found.upkeep, version);
      await sums.write(found);
      if ((await sums.newest({ reached: 128, summed: 0 })) === undefined)
        throw new Error('A sum that was read is lost.');
    },
  );
}

export const metadataTargets: readonly FuzzTarget[] = [
  { name: 'log entry', ci: 150, long: 100_000, open: openEntries },
  { name: 'checkpoint', ci: 150, long: 80_000, open: openCheckpoints },
  { name: 'sum of tags', ci: 80, long: 30_000, open: openUpkeepSums },
  { name: 'dump of a transaction', ci: 80, long: 30_000, open: openDumps },
];
