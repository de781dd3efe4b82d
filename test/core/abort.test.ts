import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { abortable, cancelled, checkSignal } from '../../src/core/abort.js';
import { isSpiralError } from '../../src/core/errors.js';
import { typescript } from '../typescript.js';

const never = new Promise<never>(() => undefined);

describe('checkSignal', () => {
  it('returns without a signal, and while the signal stands', () => {
    expect(checkSignal(undefined, 'Reading')).toBeUndefined();
    expect(checkSignal(new AbortController().signal, 'Reading')).toBeUndefined();
  });

  it('throws `cancelled` with the reason as cause once the signal aborted', () => {
    const reason = new Error('enough');
    expect(() => checkSignal(AbortSignal.abort(reason), 'Reading')).toThrow(
      expect.objectContaining({
        code: 'cancelled',
        kind: 'cancelled',
        cause: reason,
        message: 'Reading was cancelled by its signal.',
      }),
    );
  });
});

describe('abortable', () => {
  it('settles as its work does', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(7), undefined, 'Reading')).resolves.toBe(7);
    await expect(abortable(Promise.resolve(7), signal, 'Reading')).resolves.toBe(7);
    await expect(abortable(Promise.reject(new Error('disk')), signal, 'Reading')).rejects.toThrow('disk');
  });

  it('rejects with `cancelled` when the signal aborts before or during the work', async () => {
    const controller = new AbortController();
    const during = abortable(never, controller.signal, 'Reading');
    controller.abort('stop');
    await expect(during).rejects.toMatchObject({ code: 'cancelled', cause: 'stop' });
    await expect(abortable(never, controller.signal, 'Reading')).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('changes nothing when the signal aborts after the work', async () => {
    const controller = new AbortController();
    const done = abortable(Promise.resolve(7), controller.signal, 'Reading');
    await expect(done).resolves.toBe(7);
    controller.abort();
    await expect(done).resolves.toBe(7);
  });

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await abortable(Promise.resolve(7), signal, 'Reading');
    await abortable(Promise.reject(new Error('disk')), signal, 'Reading').catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it.each(['before', 'during'])('owns the rejection of work that fails late, when aborted %s it', (when) => {
    const module = new URL('../../src/core/abort.ts', import.meta.url).href;
    const code = `
      import { abortable } from '${module}';
      const controller = new AbortController();
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 5));
      if ('${when}' === 'before') controller.abort();
      const work = abortable(late, controller.signal, 'Reading');
      controller.abort();
      await work.catch((error) => process.stdout.write(error.code));
      await new Promise((resolve) => setTimeout(resolve, 20));
    `;
    const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '--eval', code], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
    });
    expect({ code: run.status, out: run.stdout, err: run.stderr }).toEqual({ code: 0, out: 'cancelled', err: '' });
  });
});

describe('cancelled', () => {
  it('makes an error that the guard knows', () => {
    expect(isSpiralError(cancelled(AbortSignal.abort(), 'Reading'), 'cancelled')).toBe(true);
  });
});
