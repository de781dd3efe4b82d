import fc from 'fast-check';
import { describe, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import type { Draw } from './table-model.js';
import { UpkeepStory } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

async function tell(g: Draw, store: ObjectStore): Promise<void> {
  const story = await UpkeepStory.begin(g, await withProject(store, 'p'));
  const steps = g(fc.integer, { min: 4, max: 14 });
  for (let step = 0; step < steps; step++) await story.step();
  await story.check();
}

/** A failure is told as it was found: shrinking would write hundreds of tables. */
const limits = { endOnFailure: true };

describe('a table that is written, compacted, tagged and vacuumed in any order (laws 9, 18, 19)', {
  timeout: 900_000,
}, () => {
  it('holds at every version kept what it held, in memory', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => tell(g, memoryStore())),
      { ...limits, numRuns: lawRuns(60, 3000) },
    ));

  it('holds the same in files', () =>
    fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        await using folder = await temporaryFolder();
        await tell(g, fileStore(folder.path));
      }),
      { ...limits, numRuns: lawRuns(8, 300) },
    ));
});
