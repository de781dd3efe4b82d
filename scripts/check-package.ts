/**
 * Packs the package as npm would, unpacks it, and uses it from there: every door opens, the command runs, and nothing
 * but `dist`, `docs`, the README, the licence and the manifest is in it. `publint` and `attw` check the manifest.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const wanted = /^(package\.json|README\.md|LICENSE|docs\/(guides\/)?[\w-]+\.md|dist\/[\w./-]+\.(js|d\.ts|js\.map))$/;

/** Unpacks the package into `folder`. */
function unpack(folder: string): void {
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const [name] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error(`npm pack made no file; it said: ${packed}`);
  const target = join(folder, 'node_modules', manifest.name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, name), '-C', target, '--strip-components', '1']);
}

function checkContents(target: string): number {
  const files = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(target.length + 1)
        .replaceAll('\\', '/'),
    );
  const strange = files.filter((file) => !wanted.test(file));
  if (strange.length > 0) throw new Error(`The package holds files it should not: ${strange.join(', ')}.`);
  for (const file of ['README.md', 'LICENSE']) if (!files.includes(file)) throw new Error(`The package lacks ${file}.`);
  return files.length;
}

/** Opens every door in a process of its own, as a user's project would. */
function checkDoors(folder: string): string[] {
  const doors = Object.keys(manifest.exports).filter((door) => !door.endsWith('.json'));
  for (const door of doors) {
    const name = door.replace(/^\./, manifest.name);
    const code = `const door = await import('${name}'); if (Object.keys(door).length === 0) throw new Error('${name} exports nothing');`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return doors;
}

function checkCommands(target: string): void {
  for (const [name, file] of Object.entries(manifest.bin)) {
    const said = execFileSync(process.execPath, [join(target, file), '--version'], { encoding: 'utf8' }).trim();
    if (said !== manifest.version)
      throw new Error(`Expected ${name} --version to say ${manifest.version}, got ${said}.`);
  }
}

// Inside the project, so that the unpacked package finds its dependencies in the project's node_modules.
const folder = mkdtempSync(join(root, 'node_modules', '.check-package-'));
try {
  unpack(folder);
  const target = join(folder, 'node_modules', manifest.name);
  const count = checkContents(target);
  const doors = checkDoors(folder);
  checkCommands(target);
  process.stdout.write(`The packed package works: ${count} files, doors ${doors.join(' ')}.\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
