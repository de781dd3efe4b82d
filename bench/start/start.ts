import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Benchmark, Pass, Side } from '../benchmark.js';
import { type DataSet, dataFolder } from '../data/data-set.js';
import { filesData, shardsData } from '../data/shards.js';
import type { Figure } from '../figure.js';

const script = fileURLToPath(new URL('first-batch.mjs', import.meta.url));
const value = 'first batch ms';

/** From making the client to the first batch, with the shards in one file. */
export function startShards(
  count: number,
  atMost: { readonly feeder: number; readonly inProcess?: number },
): Benchmark {
  return start(`shards/${count}`, `${count} shards in one file`, shardsData(count), count, atMost);
}

/** The same with a file for each shard. */
export function startFiles(count: number, atMost: { readonly feeder: number; readonly inProcess?: number }): Benchmark {
  return start(`files/${count}`, `${count} shards, each in a file of its own`, filesData(count), count, atMost);
}

function start(
  name: string,
  what: string,
  data: DataSet,
  shards: number,
  { feeder, inProcess }: { readonly feeder: number; readonly inProcess?: number },
): Benchmark {
  const figures: Figure[] = [{ kind: 'value', of: 'spiral', value, atMost: feeder }];
  if (inProcess !== undefined) figures.push({ kind: 'value', of: 'spiral, in process', value, atMost: inProcess });
  return {
    name: `start/${name}`,
    work: `The first batch of 32 rows from ${what}, in a new process each time, the package being loaded.`,
    data: [data],
    sides: [startSide('spiral', data, shards, true), startSide('spiral, in process', data, shards, false)],
    figures,
  };
}

function startSide(name: string, data: DataSet, shards: number, feeder: boolean): Side {
  const args = [script, `${dataFolder}${data.name}`, data.name, String(feeder)];
  const pass = async (): Promise<Pass> => {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const found = JSON.parse(stdout) as { ms: number; rows: number; shards: number };
    if (found.shards !== shards) throw new Error(`Expected ${shards} shards, found ${found.shards}.`);
    return { rows: found.rows, bytes: 0, values: { [value]: found.ms } };
  };
  return { name, open: async () => ({ pass }) };
}
