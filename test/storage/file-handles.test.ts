import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { macrotask } from '../../src/core/runtime.js';
import { FileHandles } from '../../src/storage/file-handles.js';
import { lawRuns } from '../laws.js';

/** Numbers for handles, and who is open. */
class Ledger {
  readonly open = new Map<number, string>();
  readonly opened: string[] = [];
  most = 0;

  opener(name: string, failing = false): () => Promise<number> {
    return async () => {
      await macrotask();
      if (failing) throw new Error(`cannot open ${name}`);
      const handle = this.opened.push(name);
      this.open.set(handle, name);
      this.most = Math.max(this.most, this.open.size);
      return handle;
    };
  }

  readonly close = async (handle: number): Promise<void> => {
    await macrotask();
    if (!this.open.delete(handle)) throw new Error(`handle ${handle} was closed twice`);
  };
}

describe('FileHandles', () => {
  it('opens once for any number of concurrent users', async () => {
    const ledger = new Ledger();
    const handles = new FileHandles(ledger.close, 4);
    const used = await Promise.all(
      Array.from({ length: 20 }, () => handles.use('a', ledger.opener('a'), async (handle) => handle)),
    );
    expect(new Set(used)).toEqual(new Set([1]));
    expect(ledger.opened).toEqual(['a']);
  });

  it('closes the least recently used first', async () => {
    const ledger = new Ledger();
    const handles = new FileHandles(ledger.close, 2);
    const use = (name: string): Promise<number> => handles.use(name, ledger.opener(name), async (handle) => handle);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await use(name);
    expect(ledger.opened).toEqual(['a', 'b', 'c', 'b']);
    expect([...ledger.open.values()]).toEqual(['a', 'b']);
  });

  it('opens anew after a failed opening, which every concurrent user is told of', async () => {
    const ledger = new Ledger();
    const handles = new FileHandles(ledger.close, 1);
    const failing = (): Promise<number> => handles.use('a', ledger.opener('a', true), async (handle) => handle);
    const outcomes = await Promise.allSettled([failing(), failing(), failing()]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await handles.use('a', ledger.opener('a'), async (handle) => handle)).toBe(1);
    await handles.drop('a');
    expect(handles.count).toBe(0);
  });

  it('never closes a handle in use, never has more than the limit open, and leaks none', async () => {
    const step = fc.record({
      kind: fc.constantFrom('use', 'use', 'use', 'once', 'drop', 'fail', 'throw'),
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      turns: fc.nat(4),
      wait: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), async (max, steps) => {
        const ledger = new Ledger();
        const handles = new FileHandles(ledger.close, max);
        const under: Promise<unknown>[] = [];
        for (const { kind, name, turns, wait } of steps) {
          const work = async (handle: number): Promise<void> => {
            for (let turn = 0; turn <= turns; turn++) {
              expect(ledger.open.get(handle)).toBe(name);
              await macrotask();
            }
            expect(ledger.open.get(handle)).toBe(name);
            if (kind === 'throw') throw new Error('the work failed');
          };
          const open = ledger.opener(name, kind === 'fail');
          if (kind === 'drop') under.push(handles.drop(name));
          else if (kind === 'once') under.push(handles.once(name, open, work));
          else {
            const done = handles.use(name, open, work);
            under.push(
              kind === 'use' ? done : done.catch((error: Error) => expect(error.message).toMatch(/cannot|failed/)),
            );
          }
          under.at(-1)?.catch(() => undefined);
          if (wait) await macrotask();
        }
        // A user may meet the failed opening of another: that is the one error allowed.
        for (const outcome of await Promise.allSettled(under)) {
          if (outcome.status === 'rejected') expect((outcome.reason as Error).message).toMatch(/^cannot open/);
        }
        expect(ledger.most).toBeLessThanOrEqual(max);
        await handles.dropAll('');
        for (let turn = 0; turn < 3; turn++) await macrotask();
        expect(ledger.open.size).toBe(0);
        expect(handles.count).toBe(0);
      }),
      { numRuns: lawRuns(100, 3000) },
    );
  });
});
