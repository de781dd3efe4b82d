import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

interface Told {
  readonly rows: number;
  readonly bytes: number;
  readonly grownBytes: number;
  readonly compactedBytes: number;
}

/** Writes `megabytes` of rows in a process of its own. */
async function written(
  megabytes: number,
  memoryBytesMax: number | '',
  order: 'random' | 'ascending',
  writes = 1,
): Promise<Told> {
  await using folder = await temporaryFolder();
  const script = fileURLToPath(new URL('write-much.ts', import.meta.url));
  const child = fork(script, [folder.path, `${megabytes}`, `${memoryBytesMax}`, order, `${writes}`], {
    execArgv: ['--import', 'tsx'],
  });
  const [told] = (await once(child, 'message')) as [Told];
  await once(child, 'exit');
  expect(told.rows).toBe(megabytes * 1000);
  return told;
}

const MB = 1_000_000;

describe('the memory of a write', () => {
  it.each(['random', 'ascending'] as const)('stays bounded for rows in %s order', async (order) => {
    const { grownBytes } = await written(lawRuns(160, 400), 8 * 1024 * 1024, order);
    // Twelve times the limit: most is garbage that is still to be collected. Unbounded it takes more than the rows.
    expect(grownBytes).toBeLessThan(lawRuns(105, 150) * MB);
  });

  it.runIf(lawRuns(0, 1) === 1)(
    'of 5 GB stays under 512 MB, all of the process, and so does compacting them',
    async () => {
      const told = await written(5000, '', 'random', 2);
      process.stdout.write(`5 GB written in two overlapping writes, then compacted: ${JSON.stringify(told)}\n`);
      expect(told.compactedBytes).toBeGreaterThan(5000 * MB);
      expect(told.bytes).toBeLessThan(512 * MB);
    },
    1_800_000,
  );
});
