/**
 * Makes `dist/loader/feeder-bundle.js`: the feeder's thread with all of this package and of apache-arrow that it needs in one
 * file, and `dist/loader/samples-feeder-bundle.js`, the same for MDS data sets. A thread loads its modules anew, and some two
 * hundred files take it longer than all else until the first batch. Threads that run a transform module load the files
 * themselves, so that the module meets the same apache-arrow.
 */
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

const inlined = ['apache-arrow', 'flatbuffers', 'tslib'];
const { dependencies } = manifest('.');

const { metafile } = await build({
  entryPoints: {
    'feeder-bundle': 'dist/loader/feeder-thread.js',
    'samples-feeder-bundle': 'dist/streaming/dataset/samples-feeder.js',
  },
  outdir: 'dist/loader',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  metafile: true,
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
