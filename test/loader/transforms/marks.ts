import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

/** The folder that the running test gave its transforms, to remember things in whatever happens to their threads. */
export function marksFolder(): string {
  const folder = process.env['SPIRAL_TEST_MARKS'];
  if (folder === undefined) throw new Error('Expected the test to set SPIRAL_TEST_MARKS.');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Whether this is the first of all calls with `name`, in any thread. */
export function firstTime(name: string): boolean {
  const file = join(marksFolder(), name);
  if (existsSync(file)) return false;
  writeFileSync(file, `${threadId}`);
  return true;
}
