import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveSettings } from '../../../src/client/settings.js';
import { SpiralError } from '../../../src/core/errors.js';
import { World } from '../../../src/sharding/world.js';
import { worldFromEnv } from '../../../src/sharding/world-env.js';
import { type FuzzTarget, jsonBytes, type OpenTarget, textInputs, textOf, valueInputs } from '../fuzz-target.js';

/** A file of settings. */
async function openToml(): Promise<OpenTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'spiral-fuzz-settings-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'spiral.toml');
  const texts = [
    'file_format = "arrow"\nverify = "always"\n[warehouse]\nuri = "memory://x" # where\n[limits]\nbatch_readahead = 8\npartition_max_bytes = 1_000_000\n',
    'warehouse.uri = \'./data\'\nlimits = { batch_readahead = 0x10, memory_bytes = "none" }\n',
    '[effects]\nprivate_addresses = true\nfile_folders = """\n/a:/b"""\n[commit]\nauthor = "\\u00e9 \\"x\\""\n',
  ];
  return textInputs(texts, async (bytes) => {
    writeFileSync(path, bytes);
    return resolveSettings({}, {}, { SPIRAL_CONFIG: path });
  });
}

/** Variables of the environment: settings, and what launchers say of the world. */
async function openEnvironment(): Promise<OpenTarget> {
  const seeds = [
    {
      SPIRAL_CONFIG: '',
      SPIRAL__WAREHOUSE__URI: 'memory://x',
      SPIRAL__LIMITS__BATCH_READAHEAD: '3',
      SPIRAL__VERIFY: 'never',
    },
    { SPIRAL_CONFIG: '', RANK: '1', WORLD_SIZE: '4', LOCAL_RANK: '1' },
    { SPIRAL_CONFIG: '', SLURM_PROCID: '2', SLURM_NTASKS: '3' },
    {
      SPIRAL_CONFIG: '',
      TF_CONFIG: '{"cluster":{"chief":["a:1"],"worker":["b:1","c:1"]},"task":{"type":"worker","index":1}}',
    },
  ];
  return valueInputs(seeds, jsonBytes, async (bytes) => {
    const given: unknown = JSON.parse(textOf(bytes));
    if (typeof given !== 'object' || given === null) throw new SpiralError('invalid_config', 'Expected variables.');
    // Variables are text, and no file of this machine is read.
    const text = Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    const environment = { ...Object.fromEntries(text), SPIRAL_CONFIG: '' } as Record<string, string>;
    resolveSettings({}, {}, environment);
    const found = worldFromEnv(environment);
    if (found !== undefined) new World(found);
  });
}

export const settingTargets: readonly FuzzTarget[] = [
  { name: 'settings in TOML', ci: 60, long: 20_000, open: openToml },
  { name: 'variables of the environment', ci: 120, long: 50_000, open: openEnvironment },
];
