import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { SlowFirst } from './test/slow-first.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: ViteUserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^spiral-loader\/tfjs$/, replacement: here('./src/adapters/tfjs/index.ts') },
      { find: /^spiral-loader\/testing$/, replacement: here('./src/testing/index.ts') },
      { find: /^spiral-loader$/, replacement: here('./src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/loader/built-transforms.ts', './test/typescript.ts'],
    // What tests cache of far stores is not what their user caches.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'spiral-test-cache') },
    // Long laws take what they take, also beside other work.
    testTimeout: process.env['SPIRAL_LAWS'] === 'long' ? 3_600_000 : 120_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Packages are loaded once a process, not once a file, which takes a fifth of a run; our own modules are loaded for each file.
    isolate: false,
    // Vitest leaves a core free, which on two cores halves the speed; many of these tests wait.
    maxWorkers: '100%',
    sequence: { sequencer: SlowFirst },
    reporters: ['default'],
  },
});

export default config;
