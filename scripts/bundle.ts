/**
 * Makes `dist` of `build`, where the compiler left a file for each source: a process loads a few files sooner than five
 * hundred, which take it half a second. Doors and threads keep their own names; what several of them hold is in
 * `dist/chunks`, so that each module is there once.
 *
 * `dist/loader/feeder-bundle.js` is the feeder's thread once more with apache-arrow in it, `samples-feeder-bundle.js` the same
 * with what opens MDS data sets: a thread loads its modules anew, which takes it longer than all else until the first batch.
 * Threads that run a transform module use the other one, so that the module meets the same apache-arrow.
 */
import { readFileSync } from 'node:fs';
import { type BuildOptions, build } from 'esbuild';

const doors = ['index', 'adapters/tfjs/index', 'testing/index', 'cli/main'];
const threads = [
  'cli/convert-thread',
  'loader/feeder-thread',
  'loader/map-worker',
  'scan/udf-worker',
  'streaming/writing/pack-thread',
];
/** A module that the feeder's thread loads by its name. */
const reopened = 'streaming/dataset/reopen-samples';

const common: BuildOptions = { bundle: true, format: 'esm', platform: 'node', target: 'node20', sourcemap: true };
const inlined = ['apache-arrow', 'flatbuffers', 'tslib'];
const { dependencies } = manifest('.');

await build({
  ...common,
  entryPoints: [...doors, ...threads, reopened].map((file) => `build/${file}.js`),
  outbase: 'build',
  outdir: 'dist',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  packages: 'external',
});

const { metafile } = await build({
  ...common,
  entryPoints: {
    'feeder-bundle': 'build/loader/feeder-thread.js',
    'samples-feeder-bundle': 'build/streaming/dataset/samples-feeder.js',
  },
  outdir: 'dist/loader',
  metafile: true,
  // A tenth less to read for a thread that starts. Names stay, as they stand in errors.
  minifyWhitespace: true,
  minifySyntax: true,
  banner: { js: notice() },
  // What serves users' modules and foreign files stays outside: threads that need these do not use the bundle.
  external: [
    './map-supply.js',
    '../workers/worker-lanes.js',
    ...['parquet', 'ipc', 'mds', 'jsonl', 'csv'].map((name) => `../format/${name}-file.js`),
    ...Object.keys(dependencies).filter((name) => !inlined.includes(name)),
  ],
});

const files = Object.keys(metafile.inputs);
const packages = new Set(files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
const unnamed = [...packages].filter((name) => !inlined.includes(name));
if (unnamed.length > 0)
  throw new Error(`The feeder's bundle holds ${unnamed.join(', ')}, which its notice does not name.`);

/** The licences of what is passed on ask to be named. */
function notice(): string {
  const names = inlined.map((name) => {
    const { version, license } = manifest(`node_modules/${name}`);
    return `${name} ${version} (${license})`;
  });
  const arrow = readFileSync('node_modules/apache-arrow/NOTICE.txt', 'utf8').trim();
  return `/*!\nThis file holds ${names.join(', ')}.\n\n${arrow}\n*/`;
}

function manifest(folder: string): { version: string; license: string; dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
}
