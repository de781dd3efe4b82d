/**
 * Adds to lock files the optional packages that npm left out, and prints them.
 *
 * A package with native parts names one optional package for each platform, at an exact version. Where a registry does
 * not carry those of other platforms npm locks without them, and `npm ci` then refuses the lock as incomplete. What an
 * entry needs is known without the registry: the version from the package that names it, the platform from its name.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** One package of a lock file: what this script reads and writes of it. */
export interface LockEntry {
  readonly version?: string;
  readonly cpu?: readonly string[];
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A lock file of version 3: packages by their path, sorted. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

const systems = /(?<=[-/])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)(?=-|$)/;
const processors = /(?<=[-/])(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64|wasm32)(?=-|$)/;

/** The entries `lock` lacks, by path. Throws where a version is no exact one or a name tells no platform. */
export function missingEntries(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const isLocked = [`${path}/node_modules/${name}`, `node_modules/${name}`].some((at) => at in lock.packages);
      if (!isLocked) missing[`node_modules/${name}`] = entryOf(name, version, entry);
    }
  }
  return missing;
}

function entryOf(name: string, version: string, parent: LockEntry): LockEntry {
  const system = systems.exec(name)?.[1];
  const processor = processors.exec(name)?.[1];
  if (!/^\d+\.\d+\.\d+[\w.-]*$/.test(version) || system === undefined) {
    throw new Error(`Expected an exact version and a platform in ${name}@${version}: lock it by hand.`);
  }
  return {
    version,
    ...(processor === undefined ? {} : { cpu: [processor] }),
    ...(parent.dev ? { dev: true } : {}),
    ...(parent.devOptional ? { devOptional: true } : {}),
    ...(system === 'linux' && /gnu|musl/.test(name) ? { libc: [name.includes('musl') ? 'musl' : 'glibc'] } : {}),
    optional: true,
    os: [system],
  };
}

function complete(file: string): void {
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock;
  const missing = missingEntries(lock);
  const packages = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en'));
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
  for (const path of Object.keys(missing)) process.stdout.write(`${file}: added ${path}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const file of ['package-lock.json', 'bench/package-lock.json']) if (existsSync(file)) complete(file);
}
