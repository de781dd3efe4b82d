import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { tableFromArrays } from 'apache-arrow';
import { loadTf, pickBackend, toTensors, toTfDataset } from 'spiral-loader/tfjs';
import { describe, expect, it } from 'vitest';
import { typescript } from '../../typescript.js';
import { MemorySource } from './memory-source.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

async function inFreshProcess(code: string): Promise<string> {
  const args = [...typescript, '--input-type=module', '--eval', code];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  return stdout.trim().split('\n').at(-1)!;
}

describe('loadTf', () => {
  it('finds the TensorFlow.js that this process has imported', async () => {
    expect((await loadTf()).tensor).toBe(tf.tensor);
  });
});

describe('toTensors', () => {
  const code = (before: string): string => `
    import { toTensors, loadTf } from './src/adapters/tfjs/index.ts';
    import { tableFromArrays } from 'apache-arrow';
    ${before}
    const batch = tableFromArrays({ a: Float32Array.of(1, 2) }).batches[0];
    try { console.log(String(toTensors(batch, { xs: 'a' }).xs.dataSync())); } catch (error) { console.log(error.code, error.message); }
  `;

  it('says how to load TensorFlow.js where nothing has', async () => {
    const said = await inFreshProcess(code(''));
    expect(said).toMatch(/^missing_peer .*await loadTf\(\).*npm install/);
  });

  it('works once it is loaded, by loadTf or by the program itself', async () => {
    expect(await inFreshProcess(code('await loadTf();'))).toBe('1,2');
    expect(await inFreshProcess(code(`await import('@tensorflow/tfjs');`))).toBe('1,2');
  });
});

describe('the option tf', () => {
  const { batches } = tableFromArrays({ a: Float32Array.of(1, 2) });

  it.each([
    ['null', null, /got null/],
    ['another object', { tensors: 1 }, /got an object \{tensors\}/],
    ['what loadTf gives, not awaited', loadTf(), /got a Promise\. Await `loadTf\(\)`/],
  ])('is refused where it is %s', async (_, given, text) => {
    const bad = given as unknown as typeof tf;
    const refusal = { code: 'invalid_argument', message: expect.stringMatching(text) };
    expect(() => toTensors(batches[0]!, { xs: 'a', tf: bad })).toThrow(expect.objectContaining(refusal));
    await expect(toTfDataset(new MemorySource([]), { xs: 'a', ys: 'a', tf: bad })).rejects.toMatchObject(refusal);
    await expect(pickBackend(bad)).rejects.toMatchObject(refusal);
  });
});

describe('pickBackend', () => {
  it('leaves errors of the program to Node.js', async () => {
    const said = await inFreshProcess(`
      import { pickBackend } from './src/adapters/tfjs/index.ts';
      await pickBackend();
      console.log(process.listenerCount('uncaughtException'), process.listenerCount('unhandledRejection'));
    `);
    expect(said).toBe('0 0');
  });

  it('sets a backend that trains, and says which', async () => {
    const picked = await pickBackend(tf);
    expect(picked.name).toBe(tf.getBackend());
    expect(tf.add(1, 2).dataSync()[0]).toBe(3);
    await tf.setBackend('cpu');
    expect((await pickBackend(tf)).name).toBe(picked.name);
    expect(tf.getBackend()).toBe(picked.name);
  });
});
