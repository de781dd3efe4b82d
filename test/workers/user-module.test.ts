import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const built = (name: string): string => new URL(`../../build/workers/${name}.js`, import.meta.url).href;
/** Whether this Node strips types by itself: 22.18, 24 and later do. */
const strips = Boolean((process.features as { typescript?: unknown }).typescript);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spiral-user-module-'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'other.ts'), 'export const other: number = 4;\n');
  await writeFile(join(folder, 'alone.ts'), 'export function four(): number { return 4; }\n');
  await writeFile(
    join(folder, 'by-js.ts'),
    "import { other } from './other.js';\nexport const four = (): number => other;\n",
  );
  await writeFile(join(folder, 'with-enum.ts'), 'enum Of { A = 4 }\nexport const four = (): number => Of.A;\n');
  await writeFile(
    join(folder, 'lacks.ts'),
    "import { x } from './nowhere.js';\nexport const four = (): number => x;\n",
  );
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a process that Node runs without any loader of TypeScript makes of a file of the folder: a result or the error's text. */
async function loaded(file: string, isHosted: boolean): Promise<unknown> {
  const code = `
    import { loadModule } from ${JSON.stringify(built('user-module'))};
    import { markHosted } from ${JSON.stringify(built('hosted-thread'))};
    if (${isHosted}) markHosted();
    try {
      console.log(JSON.stringify((await loadModule(${JSON.stringify(pathToFileURL(join(folder, file)).href)})).callable('four')()));
    } catch (error) { console.log(JSON.stringify(error.code + ': ' + error.message)); }
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: folder });
  return JSON.parse(stdout);
}

describe.each([
  ['of the caller', false, /^invalid_transform: Expected JavaScript.*Start the process with `node --import tsx`/],
  ['of this package', true, /^invalid_transform: Expected JavaScript.*Install tsx beside it/],
])('TypeScript without tsx, in a thread %s', (_, isHosted, refused) => {
  it('is loaded as far as Node can by itself, and else refused with the remedy', async () => {
    expect(await loaded('alone.ts', isHosted)).toEqual(strips ? 4 : expect.stringMatching(refused));
    for (const file of ['by-js.ts', 'with-enum.ts']) {
      const text = strips ? /^invalid_transform: .*cannot be loaded: .*install tsx beside the module/s : refused;
      expect(await loaded(file, isHosted)).toMatch(text);
    }
  });

  it('is not blamed for a file that is not there', async () => {
    const text = await loaded('lacks.ts', isHosted);
    expect(text).toMatch(strips ? /nowhere\.js/ : refused);
    if (strips) expect(text).not.toContain('tsx');
  });
});
