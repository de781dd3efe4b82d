/**
 * Adds a golden warehouse with indexes, written by the code as it stands: `node --import tsx test/client/write-golden-index.ts 1`
 * makes `test/goldens/index/warehouse-1` and what its indexes give as `warehouse-1.json`. Those that are there stay as they are.
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tellGoldenIndexes } from './golden-index.js';
import { spiralAt } from './spiral-at.js';

const folder = fileURLToPath(new URL(`../goldens/index/warehouse-${Number(process.argv[2])}`, import.meta.url));
if (existsSync(folder)) throw new Error(`${folder} is there: goldens are never rewritten. Take the next number.`);
const spiral = spiralAt(folder, { 'commit.author': '' });
const indexes = await tellGoldenIndexes(spiral);
await spiral.close();
await rm(join(folder, '.tmp'), { recursive: true, force: true });
await writeFile(`${folder}.json`, `${JSON.stringify(indexes, undefined, 1)}\n`);
