import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { originText } from '../../src/client/setting-origin.js';
import { resolveSettings } from '../../src/client/settings.js';
import { Warehouse } from '../../src/client/warehouse.js';
import { explainSettings, isSpiralError, Spiral, type SpiralError } from '../../src/index.js';
import { lawRuns } from '../laws.js';

const folder = mkdtempSync(join(tmpdir(), 'spiral-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'settings.toml');

/** The environment of a process whose file of settings holds `toml`. */
function withFile(toml: string | Uint8Array, more: Record<string, string> = {}): Record<string, string> {
  writeFileSync(path, toml);
  return { SPIRAL_CONFIG: path, ...more };
}

function refusal(run: () => unknown): SpiralError {
  try {
    run();
  } catch (error) {
    if (isSpiralError(error)) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

describe('the file of settings', () => {
  it('stands between the environment and the defaults', () => {
    const toml = 'verify = "never"\n[warehouse]\nuri = "file"\n[limits]\nbatch_readahead = 16\n';
    const environment = withFile(toml, { SPIRAL__WAREHOUSE__URI: 'environment' });
    expect(resolveSettings({}, {}, environment)).toMatchObject({
      verify: 'never',
      'warehouse.uri': 'environment',
      'limits.batch_readahead': 16,
      'limits.partition_max_bytes': 128 * 2 ** 20,
    });
    expect(resolveSettings({ 'warehouse.uri': 'config' }, { verify: 'first' }, environment)).toMatchObject({
      verify: 'first',
      'warehouse.uri': 'config',
    });
  });

  it('sets caches, each for itself', () => {
    const toml = '[fragments_cache]\nenabled = false\ndisk_capacity_bytes = 0\ndisk_path = "~/a"\n';
    const environment = withFile(toml, { SPIRAL__KEYS_CACHE__MEMORY_CAPACITY_BYTES: '0', XDG_CACHE_HOME: '/x' });
    expect(resolveSettings({}, {}, environment)).toMatchObject({
      'fragments_cache.enabled': false,
      'fragments_cache.memory_capacity_bytes': 32 * 2 ** 20,
      'fragments_cache.disk_capacity_bytes': 0,
      'fragments_cache.disk_path': join(homedir(), 'a'),
      'manifests_cache.enabled': true,
      'manifests_cache.disk_path': expect.stringMatching(/spiral-loader/),
      'keys_cache.memory_capacity_bytes': 0,
    });
  });

  it('takes keys dotted, in tables and in inline tables, booleans too', () => {
    const toml = 'limits = { batch_readahead = 3 }\neffects.private_addresses = true\n[commit]\n"author" = ""\n';
    expect(resolveSettings({}, {}, withFile(toml))).toMatchObject({
      'limits.batch_readahead': 3,
      'effects.private_addresses': true,
      'commit.author': '',
    });
  });

  it.each<[name: string, toml: string | Uint8Array, message: RegExp, details: object]>([
    ['an unknown key', '# a\n[limits]\nbatch_readahed = 1\n', /settings\.toml:3.*'limits\.batch_readahead'/, {}],
    ['a key that has no use', 'a.b = 1\n', /settings\.toml:1/, { near: [] }],
    ['a key of the reference', '[server]\nurl = "x"\n', /settings\.toml:2.*no server/, { key: 'server.url' }],
    ['a wrong cache', '[keys_cache]\nenable = true\n', /settings\.toml:2.*'keys_cache\.enabled'/, {}],
    ['too much at once', '[limits]\nconcurrency = 129\n', /from 1 to 128, got "129"/, {}],
    ['a rate of next to nothing', '[limits]\nbytes_per_second = 1\n', /at least 65536, or 'none', got "1"/, {}],
    ['a share that is none', '[hedge]\nquantile = 1\n', /from 0\.5 to 0\.999, or 'none', got "1"/, {}],
    [
      'a tiny cache',
      '[keys_cache]\ndisk_capacity_bytes = 9\n',
      /settings\.toml:2|0 or .* at least 5242880, got "9"/,
      {},
    ],
    ['a far cache', '[keys_cache]\ndisk_path = "s3://a/b"\n', /a folder of this machine/, {}],
    ['a cache that is neither on nor off', '[keys_cache]\nenabled = 1\n', /'true' or 'false', got "1"/, {}],
    ['a value of another type', '\nverify = 1\n', /'first', 'always' or 'never', got "1" \(.*settings\.toml:2\)/, {}],
    ['vortex', 'file_format = "vortex"', /'arrow' \(no maintained reader .* Vortex/, { found: 'vortex' }],
    ['a table where a value should be', '[verify]\nx = 1\n', /'verify\.x'.*settings\.toml:2.*'verify'/, {}],
    ['a list', 'verify = ["a"]', /settings\.toml:1.*got an array of 1/, { line: 1 }],
    ['a date', 'verify = 2020-01-01', /settings\.toml:1.*a text, a number or a boolean/, { line: 1 }],
    ['what is no TOML', 'verify = "first"\nb = \n', /settings\.toml:2:\d+/, { line: 2 }],
    ['bytes that are no text', Buffer.from([0x61, 0xff]), /UTF-8/, {}],
    ['more than a file of settings', `#${'x'.repeat(70_000)}`, /at most 65536 bytes/, {}],
  ])('is refused with %s', (_, toml, message, details) => {
    const error = refusal(() => resolveSettings({}, {}, withFile(toml)));
    expect(error.code).toBe('invalid_config');
    expect(error.message).toMatch(message);
    expect(error.details).toMatchObject(details);
  });

  it('may be another, or none', () => {
    expect(resolveSettings({}, {}, { SPIRAL_CONFIG: '' }).verify).toBe('first');
    expect(refusal(() => resolveSettings({}, {}, { SPIRAL_CONFIG: join(folder, 'none') }))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('SPIRAL_CONFIG'),
    });
    expect(refusal(() => resolveSettings({}, {}, { SPIRAL_CONFIG: folder })).message).toContain('EISDIR');
  });

  it('reads any text as settings or refuses it', () => {
    const piece = fc.constantFrom(
      'verify',
      'limits',
      '.',
      '=',
      '"first"',
      '[',
      ']',
      '\n',
      '"',
      '"""',
      '1',
      'true',
      '\\',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (toml) => {
        try {
          resolveSettings({}, {}, withFile(toml));
        } catch (error) {
          expect(isSpiralError(error, 'invalid_config')).toBe(true);
        }
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
  });
});

describe('settings', () => {
  it.each([
    [{ SPIRAL__VERFIY: 'x' }, 'environment SPIRAL__VERFIY', ['verify']],
    [{ SPIRAL__LIMITS__MEMORY_BYTES: '5' }, 'environment SPIRAL__LIMITS__MEMORY_BYTES', undefined],
  ])('of the environment are refused by the name of the variable: %o', (environment, origin, near) => {
    const error = refusal(() => resolveSettings({}, {}, { SPIRAL_CONFIG: '', ...environment }));
    expect(error.code).toBe('invalid_config');
    expect(error.message).toContain(origin);
    expect(error.details).toMatchObject({ origin, ...(near && { near }) });
  });

  it('never repeat what may be a secret', () => {
    const secret = 'sk-0123456789';
    const told = (run: () => unknown): string => {
      const error = refusal(run);
      return JSON.stringify([error.message, error.details, String(error.cause)]);
    };
    const token = { SPIRAL_CONFIG: '', SPIRAL__AUTHN__TOKEN: secret };
    expect(told(() => resolveSettings({}, {}, token))).not.toContain(secret);
    expect(told(() => resolveSettings({}, {}, withFile(`[authn]\ntoken = "${secret}"\n`)))).not.toContain(secret);
    expect(told(() => resolveSettings({}, {}, withFile(`token = "${secret}"\nverify = \n`)))).not.toContain(secret);
    const uris = [`s3://key:${secret}@bucket/a`, `s3://k:a/${secret}@bucket/a`, `https://host/a?token=${secret}`];
    for (const uri of uris) {
      const [setting] = explainSettings({ overrides: { 'warehouse.uri': uri } });
      expect(setting?.value).toMatch(/^(s3:\/\/…@bucket\/a|https:\/\/host\/a\?…)$/);
    }
  });

  it('are told with where each came from', () => {
    process.env['SPIRAL_CONFIG'] = withFile('# mine\nverify = "always"\n')['SPIRAL_CONFIG'];
    process.env['SPIRAL__COMMIT__AUTHOR'] = 'me';
    try {
      const settings = explainSettings({
        config: { 'limits.memory_bytes': 2 ** 30 },
        overrides: { 'warehouse.uri': '~/data' },
      });
      const [caches, others] = [true, false].map((cache) =>
        settings.filter(({ key }) => /_cache\./.test(key) === cache),
      );
      expect(caches).toHaveLength(12);
      expect(others!.map(({ key, value, origin }) => `${key} = ${value} (${originText(origin)})`)).toEqual([
        `warehouse.uri = ${join(homedir(), 'data')} (an override)`,
        'file_format = arrow (default)',
        `verify = always (${path}:2)`,
        'limits.batch_readahead = 4 (default)',
        'limits.concurrency = 32 (default)',
        'limits.bytes_per_second = null (default)',
        'hedge.quantile = null (default)',
        'limits.partition_max_bytes = 134217728 (default)',
        'limits.memory_bytes = 1073741824 (`config` of the client)',
        'limits.block_cache_bytes = 0 (default)',
        'commit.author = me (environment SPIRAL__COMMIT__AUTHOR)',
        'effects.private_addresses = false (default)',
        'effects.file_folders =  (default)',
        'effects.s3_folders =  (default)',
      ]);
    } finally {
      delete process.env['SPIRAL_CONFIG'];
      delete process.env['SPIRAL__COMMIT__AUTHOR'];
    }
  });

  it('bound the memory of loaders and writes', async () => {
    const name = `memory://settings-${process.pid}`;
    const overrides = { 'warehouse.uri': name, 'limits.memory_bytes': String(2 ** 20) };
    await using spiral = new Spiral({ overrides });
    const table = await (await spiral.createProject('p')).createTable('t', { keySchema: { id: 'int64' } });
    await table.write({ id: BigInt64Array.from({ length: 50_000 }, (_, at) => BigInt(at)) });
    const scan = await spiral.scan(table);
    // A window of all rows takes more than 1 MiB.
    const options = { shuffleBufferSize: 50_000, batchSize: 10_000, feeder: false };
    const first = (more: object): Promise<unknown> => scan.toDataLoader({ ...options, ...more }).peek();
    await expect(first({ shuffleBufferSize: 200_000, batchSize: 50_000 })).rejects.toMatchObject({
      code: 'limit_exceeded',
    });
    await expect(first({ memoryBytesMax: 2 ** 28 })).resolves.toMatchObject({ numRows: 10_000 });
    expect(new Warehouse(spiral.config).tableOptions.writeMemoryBytesMax).toBe(2 ** 20);
    await expect(table.write([{ id: 1n }], { memoryBytesMax: 5 })).rejects.toMatchObject({ code: 'invalid_size' });
  });
});
