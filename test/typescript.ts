import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

/**
 * What Node is told before a file of TypeScript that tests start in a process of its own. From version 26 on it warns of
 * `module.register`: the hooks in its place may wait for nothing, as bundling does.
 */
export const typescript: readonly string[] = [
  '--disable-warning=DEP0205',
  '--import',
  new URL('./run-typescript.mjs', import.meta.url).href,
];

/** Run by Vitest before all tests: processes share what they make of TypeScript, for as long as nothing changes. */
export default async function shareBundles(project: TestProject): Promise<() => Promise<void>> {
  const share = async (): Promise<void> => {
    process.env['SPIRAL_TEST_BUNDLES'] = await mkdtemp(join(tmpdir(), 'spiral-bundles-'));
  };
  const remove = (): Promise<void> => rm(process.env['SPIRAL_TEST_BUNDLES']!, { recursive: true, force: true });
  await share();
  project.onTestsRerun(async () => {
    await remove();
    await share();
  });
  return remove;
}
