import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);

/**
 * Installs the peers that are locked beside this file, unless they are there. Where that fails (they are locked for
 * Linux on x64, where the figures are measured) the run goes on without them, and their sides say what is missing.
 */
export function installPeers(): void {
  const lock = `${folder}package-lock.json`;
  const installed = `${folder}node_modules/.package-lock.json`;
  if (existsSync(installed) && versions(installed) === versions(lock)) return;
  try {
    execFileSync('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
  } catch {
    console.error('The peers could not be installed: run `npm ci --prefix bench` to see why. Going on without them.');
  }
}

/** The packages without platforms (those are installed for one platform only), with their versions. */
function versions(file: string): string {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, { version: string; optional?: boolean }>;
  };
  const named = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.optional !== true);
  return JSON.stringify(named.map(([path, { version }]) => [path, version]).sort());
}

/** Loads a peer, whose types are not here unless it is installed. */
export async function importPeer<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}
