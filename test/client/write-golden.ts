/**
 * Adds a golden warehouse, written by the code as it stands: `node --import tsx test/client/write-golden.ts 2` makes
 * `test/goldens/table/warehouse-2` and what it holds as `warehouse-2.json` and `warehouse-2.kept.json`. Those that are there
 * stay as they are.
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileStore } from '../../src/storage/file-store.js';
import { tellGolden } from './golden-story.js';
import { tellGoldenUpkeep } from './golden-upkeep.js';
import { spiralAt } from './spiral-at.js';

const folder = fileURLToPath(new URL(`../goldens/table/warehouse-${Number(process.argv[2])}`, import.meta.url));
if (existsSync(folder)) throw new Error(`${folder} is there: goldens are never rewritten. Take the next number.`);
const spiral = spiralAt(folder);
const versions = await tellGolden(spiral);
await spiral.close();
const store = fileStore(folder);
const kept = await tellGoldenUpkeep(store);
await store.close();
await rm(join(folder, '.tmp'), { recursive: true, force: true });
await writeFile(`${folder}.json`, `${JSON.stringify(versions, undefined, 1)}\n`);
await writeFile(`${folder}.kept.json`, `${JSON.stringify(kept, undefined, 1)}\n`);
