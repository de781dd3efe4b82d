import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import { openFileScan } from '../../src/scan/file-scan.js';
import { fileSetId } from '../../src/scan/file-set.js';
import { findFiles } from '../../src/scan/find-files.js';
import { openFileSet } from '../../src/scan/open-files.js';
import type { OpenScan } from '../../src/scan/open-scan.js';
import { fileRecipe } from '../../src/scan/recipe.js';
import { openStore } from '../../src/storage/open-store.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const rows = 10_000;

/** A scan of text in `path` that keeps so many bytes of decoded groups. */
async function scanKeeping(path: string, groupsBytesMax: number): Promise<OpenScan> {
  const set = await findFiles([path]);
  const recipe = fileRecipe(set, { kind: 'table', table: fileSetId(set) });
  const openFiles = () => openFileSet(set, openStore(set.root));
  return openFileScan(recipe, { openFiles, verify: 'first', shardBytesMax: 2 ** 30, groupsBytesMax });
}

it('any rows of text files are the same, whether groups are kept, let go, or read in part', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'a.csv');
  const lines = Array.from({ length: rows }, (_, id) => `${id},"text ""${id}""\n"`);
  await writeFile(path, `id,text\n${lines.join('\n')}\n`);
  const scans = await Promise.all([0, 400_000, 2 ** 28].map((bytes) => scanKeeping(path, bytes)));
  const before = scans.map((scan) => scan.metrics().requests);
  await fc.assert(
    fc.asyncProperty(fc.nat(rows), fc.oneof(fc.nat(3), fc.nat(rows)), async (start, length) => {
      const to = Math.min(rows, start + length);
      const expected = Array.from({ length: to - start }, (_, at) => {
        const id = start + at;
        return { id: BigInt(id), text: `text "${id}"\n` };
      });
      for (const scan of scans) {
        expect(scan.shards).toHaveLength(1);
        expect(batchRows((await scan.readRows(scan.shards[0]!, start, to)).batch)).toEqual(expected);
      }
    }),
    { numRuns: lawRuns(40, 2_000) },
  );
  const [none, , all] = scans.map((scan, at) => scan.metrics().requests - before[at]!);
  // What is kept is not read again.
  expect(all).toBeLessThan(none!);
});
