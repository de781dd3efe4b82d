import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { temporaryFolder } from './temporary-folder.js';

const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at * 31);

describe('small reads of files', () => {
  it('leave the event loop its turns, however many follow each other', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(join(folder.path, 'store'));
    await store.put('object', bytes);
    let turns = 0;
    const turn = (): void => {
      turns++;
      pending = setImmediate(turn);
    };
    let pending = setImmediate(turn);
    const seen: number[] = [];
    for (let read = 0; read < 20_000; read++) {
      const found = await store.getRange('object', (read * 13) % 200_000, 8);
      if (found[0] !== bytes[(read * 13) % 200_000]) seen.push(read);
    }
    clearImmediate(pending);
    expect(seen).toEqual([]);
    expect(turns).toBeGreaterThan(10);
    await store.close();
  });

  it('give what larger ones give, into memory of any kind, to the end of the file and not beyond', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(join(folder.path, 'store'));
    await store.put('object', bytes);
    for (const length of [1, 4096, 65_536, 65_537, 299_000]) {
      const into = new Uint8Array(new SharedArrayBuffer(length + 10)).fill(7);
      const found = await store.getRange('object', 1000, length, { into });
      expect(Buffer.compare(found, bytes.subarray(1000, 1000 + length))).toBe(0);
      expect(into.subarray(length).every((byte) => byte === 7)).toBe(true);
    }
    await expect(store.getRange('object', 299_990, 11)).rejects.toMatchObject({ code: 'corrupt_file' });
    await store.close();
  });
});
