import { execFile } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from './temporary-folder.js';

/** What a process in which no optional package but `peers` is installed prints of a read of the store at `uri`. */
export async function withoutPeer(
  uri: string,
  environment: Readonly<Record<string, string>> = {},
  peers: readonly string[] = [],
): Promise<string> {
  await using folder = await temporaryFolder();
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const part of ['core', 'storage'])
    await cp(join(root, 'build', part), join(folder.path, 'build', part), { recursive: true });
  for (const name of ['seedrandom', ...peers]) {
    const place = join(folder.path, 'node_modules', name);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(root, 'node_modules', name), place);
  }
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(folder.path, 'main.js'),
    `import { openStore } from './build/storage/open-store.js';
     await openStore(${JSON.stringify(uri)}).get('a').catch(({ code, message }) => console.log(code, message));`,
  );
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, ['main.js'], { cwd: folder.path, env });
  return stdout;
}
