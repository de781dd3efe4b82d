import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PieceDisk } from '../../src/storage/piece-disk.js';
import { CachedObject, PieceKey } from '../../src/storage/piece-key.js';
import { bytesOf } from '../../src/testing/store-law-probes.js';
import { lawRuns } from '../laws.js';
import { typescript } from '../typescript.js';
import { temporaryFolder } from './temporary-folder.js';

const pieceBytes = 1000;
const strideBytes = 4096;
/** Room for `pieces` pieces. */
const roomFor = (pieces: number): number => 4096 + pieces * (strideBytes + 8);
const object = new CachedObject('memory://here', 'a', '1');
const keyOf = (number: number, of: CachedObject = object): PieceKey => new PieceKey(of, 'piece', number, pieceBytes);
const bytes = (number: number): Uint8Array => bytesOf(`piece ${number}`, pieceBytes);

const diskOf = (folder: string, pieces: number): PieceDisk =>
  new PieceDisk({ folder, name: 'test', pieceBytes, capacityBytes: roomFor(pieces) });

async function fill(disk: PieceDisk, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number++) {
    disk.write(keyOf(number), bytes(number));
    await disk.settled();
  }
}

/** How many of the pieces are there, each with its own bytes. */
async function found(disk: PieceDisk, from: number, to: number): Promise<number> {
  let count = 0;
  for (let number = from; number < to; number++) {
    const piece = await disk.read(keyOf(number));
    if (piece === undefined) continue;
    expect(Buffer.compare(piece, bytes(number))).toBe(0);
    count++;
  }
  return count;
}

async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0]!);
}

describe('pieces on disk', () => {
  it('are there for the next process, and only under their own names', async () => {
    await using folder = await temporaryFolder();
    const first = diskOf(folder.path, 64);
    await fill(first, 0, 8);
    await first.close();
    const second = diskOf(folder.path, 64);
    expect(await found(second, 0, 8)).toBe(8);
    const others = [
      new CachedObject('memory://there', 'a', '1'),
      new CachedObject('memory://here', 'b', '1'),
      new CachedObject('memory://here', 'a', '2'),
      new CachedObject('memory://here","a', '', '1'),
    ];
    for (const other of others) expect(await second.read(keyOf(0, other))).toBeUndefined();
    expect(await second.read(new PieceKey(object, 'tail', 0))).toBeUndefined();
    expect(await second.read(new PieceKey(object, 'piece', 0, pieceBytes - 1))).toBeUndefined();
    await second.close();
    expect(await second.read(keyOf(0))).toBeUndefined();
  });

  it('never take more than their limit, whatever is written by how many', async () => {
    await using folder = await temporaryFolder();
    const disks = [diskOf(folder.path, 40), diskOf(folder.path, 40), diskOf(folder.path, 40)];
    await Promise.all(disks.map((disk, at) => fill(disk, 100 * at, 100 * at + 150)));
    expect((await stat(await onlyFile(folder.path))).size).toBeLessThanOrEqual(roomFor(40));
    expect(await found(disks[0]!, 0, 350)).toBeGreaterThan(30);
    await Promise.all(disks.map((disk) => disk.close()));
    const larger = diskOf(folder.path, 80);
    expect(await found(larger, 0, 350)).toBe(0);
    await onlyFile(folder.path);
    await larger.close();
  });

  it('keep a part of what is read again and again, where all does not fit', async () => {
    await using folder = await temporaryFolder();
    const disk = diskOf(folder.path, 64);
    let hits = 0;
    for (let epoch = 0; epoch < 5; epoch++) {
      for (let number = 0; number < 128; number++) {
        if ((await disk.read(keyOf(number))) !== undefined) hits += epoch > 0 ? 1 : 0;
        else await fill(disk, number, number + 1);
      }
    }
    // In the order of last use it would be none; at best it is half.
    expect(hits / (4 * 128)).toBeGreaterThan(0.25);
    await disk.close();
  });

  it('are refused when anything of them is changed', async () => {
    await using folder = await temporaryFolder();
    const disk = diskOf(folder.path, 8);
    await fill(disk, 0, 1);
    await disk.close();
    const file = await onlyFile(folder.path);
    const whole = await readFile(file);
    const at = whole.indexOf('SPPC');
    const reader = diskOf(folder.path, 8);
    expect(await found(reader, 0, 1)).toBe(1);
    const handle = await open(file, 'r+');
    for (let byte = 0; byte < 64 + pieceBytes + 8; byte += byte < 64 || byte > 1060 ? 1 : 37) {
      await handle.write(Buffer.of(whole[at + byte]! ^ 0x10), 0, 1, at + byte);
      expect(await reader.read(keyOf(0))).toBeUndefined();
      await handle.write(Buffer.of(whole[at + byte]!), 0, 1, at + byte);
    }
    expect(await found(reader, 0, 1)).toBe(1);
    for (const size of [at + 64 + pieceBytes, at + 64, at + 3, 10, 0]) {
      await handle.truncate(size);
      expect(await reader.read(keyOf(0))).toBeUndefined();
    }
    await fill(reader, 0, 1);
    expect(await found(reader, 0, 1)).toBe(1);
    expect(reader.stats.refused).toBeGreaterThan(50);
    await handle.close();
    await reader.close();
  });

  it('are not those of another place of the same file', async () => {
    await using folder = await temporaryFolder();
    const disk = diskOf(folder.path, 8);
    await fill(disk, 0, 2);
    await disk.close();
    const file = await onlyFile(folder.path);
    const whole = await readFile(file);
    const one = whole.indexOf('SPPC');
    const two = whole.indexOf('SPPC', one + 1);
    whole.copyWithin(one, two, two + 64 + pieceBytes + 8);
    await writeFile(file, whole);
    const reader = diskOf(folder.path, 8);
    expect(await found(reader, 0, 2)).toBe(1);
    await reader.close();
  });

  it('are done without where the folder cannot be used, and it is said why', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, 'no folder');
    for (const disk of [diskOf(join(file, 'below'), 64), diskOf(folder.path, 7)]) {
      await fill(disk, 0, 2);
      expect(await found(disk, 0, 2)).toBe(0);
      expect(disk.stats.trouble).toMatch(/ENOTDIR|below eight pieces/);
      await disk.close();
    }
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
    'are not written to a full disk, which is no error (needs root and /dev/full)',
    async () => {
      await using folder = await temporaryFolder();
      const name = 'test-1-1000-1.pieces';
      await symlink('/dev/full', join(folder.path, name));
      const disk = diskOf(folder.path, 8);
      await fill(disk, 0, 3);
      expect(disk.stats).toMatchObject({ writes: 0, trouble: expect.stringMatching(/ENOSPC/) });
      expect(disk.stats.passedOver).toBe(2);
      expect(await found(disk, 0, 3)).toBe(0);
      await disk.close();
    },
  );
});

describe('processes that are killed at any time', () => {
  it('leave pieces of which others read the right bytes or none', async () => {
    await using folder = await temporaryFolder();
    const script = fileURLToPath(new URL('piece-writer.ts', import.meta.url));
    const start = (): ChildProcess =>
      fork(script, [folder.path, String(roomFor(24)), String(pieceBytes)], { execArgv: [...typescript] });
    const reader = diskOf(folder.path, 24);
    let [hits, reads] = [0, 0];
    for (let turn = 0; turn < lawRuns(3, 60); turn++) {
      const writers = [start(), start()];
      await Promise.all(writers.map((writer) => once(writer, 'message')));
      const gone = writers.map((writer) => once(writer, 'exit'));
      for (let round = 0; round < 20; round++) {
        hits += await found(reader, 0, 48);
        reads += 48;
        if (round === 10) writers[0]!.kill('SIGKILL');
      }
      writers[1]!.kill('SIGKILL');
      await Promise.all(gone);
      hits += await found(reader, 0, 48);
    }
    expect(hits / reads).toBeGreaterThan(0.1);
    expect((await stat(await onlyFile(folder.path))).size).toBeLessThanOrEqual(roomFor(24));
    await reader.close();
  });
});
