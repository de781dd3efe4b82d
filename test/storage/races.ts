import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { openStore } from '../../src/storage/open-store.js';
import { typescript } from '../typescript.js';

/**
 * Has `processes` times `writers` writers put the names `log/0` … at `uri` if they are absent, all at once, and checks that
 * each name has one winner, whose bytes are there.
 */
export async function race(uri: string, processes: number, writers: number, names: number): Promise<void> {
  const script = fileURLToPath(new URL('race-writer.ts', import.meta.url));
  const children = Array.from({ length: processes }, (_, at) =>
    fork(script, [uri, `${at * writers}`, `${writers}`, `${names}`], { execArgv: [...typescript] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  const answers = children.map(async (child) => (await once(child, 'message'))[0] as string[][]);
  for (const child of children) child.send('go');
  const won = (await Promise.all(answers)).flat();
  expect(won.flat().sort()).toEqual(Array.from({ length: names }, (_, turn) => `log/${turn}`).sort());
  const store = openStore(uri);
  for (const [writer, paths] of won.entries()) {
    for (const path of paths) expect(new TextDecoder().decode(await store.get(path))).toBe(`${writer} ${path}`);
  }
  await store.close();
}
