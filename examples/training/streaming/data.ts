import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MDSWriter } from 'spiral-loader';
import { readIdx } from '../mnist/idx-file.js';

const pixels = 784;

/** The data set of the first `rows` images of MNIST's part below `folder`, written as MosaicML's MDSWriter does. */
export async function mdsFolder(
  folder: string,
  part: 'train' | 't10k',
  rows: number,
  sizeLimit: number,
): Promise<string> {
  const out = join(folder, `${part}_${rows}`);
  // The index is written last: without it a run was killed amid the writing.
  if (existsSync(join(out, 'index.json'))) return out;
  rmSync(out, { recursive: true, force: true });
  const images = readIdx(`${part}-images-idx3-ubyte`);
  const labels = readIdx(`${part}-labels-idx1-ubyte`);
  await using writer = new MDSWriter({
    out,
    columns: { id: 'int', image: `ndarray:uint8:${pixels}`, label: 'uint8' },
    compression: 'zstd',
    hashes: ['xxh64'],
    sizeLimit,
  });
  for (let row = 0; row < rows; row++) {
    const image = images.bytes.subarray(row * pixels, (row + 1) * pixels);
    await writer.write({ id: row, image, label: labels.bytes[row]! });
  }
  await writer.finish();
  return out;
}

/** A web server of `folder` in a process of its own, which ends with this one. */
export async function serveFolder(folder: string): Promise<{ readonly uri: string; close(): void }> {
  const file = fileURLToPath(new URL('./file-server.ts', import.meta.url));
  const server = spawn(process.execPath, ['--import', 'tsx', file, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await once(server.stdout, 'data')) as [Buffer];
  return { uri: `http://127.0.0.1:${Number(String(port))}`, close: () => server.stdin.end() };
}
