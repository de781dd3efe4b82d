import { describe, expect, it } from 'vitest';
import { type Lock, missingEntries } from '../scripts/complete-lock.js';
import { repositoryFiles } from './source-text.js';

const locks = repositoryFiles().filter(({ path }) => path.endsWith('package-lock.json'));

describe('each lock file', () => {
  it.each(locks)('$path locks the optional packages of every platform (npm run lock adds them)', ({ text }) => {
    expect(missingEntries(JSON.parse(text) as Lock)).toEqual({});
  });

  it('never brings an optional peer along', () => {
    const lock = locks.find(({ path }) => path === 'package-lock.json');
    expect(Object.keys((JSON.parse(lock!.text) as Lock).packages)).not.toContain('node_modules/@tensorflow/tfjs-node');
  });
});

describe('missingEntries', () => {
  it('reads version and platform from the package that names them', () => {
    const optionalDependencies = {
      '@a/b-linux-x64-musl': '1.2.3',
      '@a/b-win32-arm64-msvc': '1.2.3',
      '@a/b-darwin-x64': '1.2.3',
    };
    const packages = {
      'node_modules/@a/b': { dev: true, optionalDependencies },
      'node_modules/@a/b-darwin-x64': { version: '1.2.3' },
    };
    expect(missingEntries({ packages })).toEqual({
      'node_modules/@a/b-linux-x64-musl': {
        version: '1.2.3',
        cpu: ['x64'],
        os: ['linux'],
        libc: ['musl'],
        dev: true,
        optional: true,
      },
      'node_modules/@a/b-win32-arm64-msvc': {
        version: '1.2.3',
        cpu: ['arm64'],
        os: ['win32'],
        dev: true,
        optional: true,
      },
    });
  });

  it.each([
    ['a range', { 'b-linux-x64': '^1.2.3' }],
    ['a name without a platform', { b: '1.2.3' }],
  ])('refuses to guess from %s', (_, optionalDependencies) => {
    expect(() => missingEntries({ packages: { 'node_modules/a': { optionalDependencies } } })).toThrow('by hand');
  });
});
