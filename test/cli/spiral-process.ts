import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const runModule = new URL('../../build/cli/', import.meta.url).href;
const runLines = fileURLToPath(new URL('run-lines.js', import.meta.url));

/** How a run of the command ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Where and with what the command runs. */
export interface Place {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command as a process of its own, without settings of this machine. */
export function startSpiral(argv: readonly string[], { cwd, env = {} }: Place): ChildProcess {
  return spawn(process.execPath, [main, ...argv], {
    cwd,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The environment of this process without settings of this machine. */
function ownEnvironment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SPIRAL_') && name !== 'NODE_OPTIONS');
  return {
    ...Object.fromEntries(own),
    SPIRAL_CONFIG: '',
    SPIRAL__COMMIT__AUTHOR: 'me@here',
    XDG_CACHE_HOME: '/caches',
  };
}

/** Runs the built command to its end. */
export async function spiral(argv: readonly string[], place: Place): Promise<Ended> {
  return endOf(startSpiral(argv, place));
}

/**
 * What people see of several command lines, one after the other: stdout and stderr as they come, and the exit code where it is
 * not 0. The built command runs them in one process, which saves its start.
 */
export async function screensOf(lines: readonly (readonly string[])[], { cwd, env = {} }: Place): Promise<string[]> {
  const file = join(cwd, '..', `${basename(cwd)}.screens`);
  const screens = openSync(file, 'w');
  try {
    const child = spawn(process.execPath, [runLines, runModule], {
      cwd,
      env: { ...ownEnvironment(), ...env, SPIRAL_LINES: JSON.stringify(lines) },
      stdio: ['ignore', screens, screens],
    });
    await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    return readFileSync(file, 'utf8').split('\u0000').slice(0, -1);
  } finally {
    closeSync(screens);
    rmSync(file);
  }
}

/** How `child` ends, and all that it wrote. */
export async function endOf(child: ChildProcess): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, out, err };
}
