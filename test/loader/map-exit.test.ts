import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let marks: Awaited<ReturnType<typeof temporaryFolder>>;
let state: string;

beforeAll(async () => {
  [folder, marks] = [await temporaryFolder(), await temporaryFolder()];
  const spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const table = await (await spiral.createProject('map')).createTable('rows', { keySchema: { row: 'int32' } });
  await table.write(Array.from({ length: 400 }, (_, row) => ({ row, shard: 0, text: `t${row}` })));
  state = (await spiral.scan(table)).stateJson();
  await spiral.close();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await marks[Symbol.asyncDispose]();
});

/** Runs the script until it ends by itself, which `timeout` ends for it. */
async function leave(how: string, feeder: boolean, mapWorkers: number) {
  const script = fileURLToPath(new URL('./leave-map-loader.ts', import.meta.url));
  const args = [folder.path, state, how, String(feeder), String(mapWorkers)];
  const child = spawn(process.execPath, [...typescript, script, ...args], {
    env: { ...process.env, SPIRAL_TEST_MARKS: marks.path },
    timeout: 60_000,
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (output.stderr += String(chunk)));
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, ...output };
}

const ways = ['end', 'break', 'throw', 'abort', 'close', 'abandon', 'hang'];

describe.each([
  [true, 2, ways],
  [false, 2, ['end', 'abort', 'abandon', 'hang']],
  [false, 0, ['throw', 'hang']],
] as const)('a process with a transform module (feeder: %s, %i map workers)', (feeder, mapWorkers, own) => {
  test.each(own)('exits by itself after %s', async (how) => {
    const { code, stdout, stderr } = await leave(how, feeder, mapWorkers);
    expect([code, stderr]).toEqual([0, '']);
    const { left, batches } = JSON.parse(stdout) as { left: string[]; batches: number };
    expect(batches).toBe(how === 'end' ? 20 : how === 'abandon' ? 1 : 3);
    if (how !== 'abandon' && how !== 'end') expect(left).toEqual([]);
  });
});
