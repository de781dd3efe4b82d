import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { QuickCalls } from '../../src/storage/quick-calls.js';
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

describe('calls made at once', () => {
  /** Calls over a clock that moves only while one is made. */
  function callsOver(): { take: (ms: number) => boolean; wait: (ms: number) => void } {
    let now = 0;
    const calls = new QuickCalls(() => now);
    const wait = (ms: number): void => {
      now += ms;
    };
    return { wait, take: (ms) => calls.try(() => [wait(ms)]) !== undefined };
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('go on after one that was slow, and stop after a second', async () => {
    const { take, wait } = callsOver();
    expect(take(1.5)).toBe(true);
    expect(take(0.1)).toBe(true);
    expect(take(1.5)).toBe(true);
    await turn();
    expect(take(0.1)).toBe(false);
    wait(25);
    expect(take(0.1)).toBe(true);
    // A slow one soon after a pause begins a longer one.
    expect(take(1.5)).toBe(true);
    await turn();
    wait(25);
    expect(take(0.1)).toBe(false);
    wait(20);
    expect(take(0.1)).toBe(true);
  });

  it('stop after one that another thread cannot have held up so long', () => {
    const { take } = callsOver();
    expect(take(150)).toBe(true);
    expect(take(0.1)).toBe(false);
  });

  it('stop where each is slow, however slow', async () => {
    for (const ms of [2, 9, 200]) {
      const { take } = callsOver();
      let taken = 0;
      for (let call = 0; call < 20; call++) {
        if (take(ms)) taken++;
        await turn();
      }
      expect(taken).toBeLessThanOrEqual(2);
    }
  });

  it('go on where slow ones are far apart', async () => {
    const { take, wait } = callsOver();
    for (let time = 0; time < 10; time++) {
      expect(take(4)).toBe(true);
      await turn();
      wait(150);
    }
  });

  it('stop until the event loop has turned, after two milliseconds', async () => {
    const { take } = callsOver();
    for (let call = 0; call < 5; call++) expect(take(0.5)).toBe(true);
    expect(take(0.5)).toBe(false);
    await turn();
    expect(take(0.5)).toBe(true);
  });
});
