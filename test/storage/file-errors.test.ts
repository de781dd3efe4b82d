import { describe, expect, it } from 'vitest';
import { SpiralError } from '../../src/core/errors.js';
import { fileError, fileWork } from '../../src/storage/file-errors.js';

const systemError = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });
const where = { uri: 'file:///data', path: 'a/b', doing: 'write' } as const;

describe('fileError', () => {
  it.each([
    ['EACCES', 'permission_denied', 'denied'],
    ['EPERM', 'permission_denied', 'denied'],
    ['EROFS', 'permission_denied', 'denied'],
    ['ENOSPC', 'storage_full', 'limit'],
    ['EDQUOT', 'storage_full', 'limit'],
    ['EMFILE', 'unavailable', 'unavailable'],
    ['ENFILE', 'unavailable', 'unavailable'],
    ['EIO', 'unavailable', 'unavailable'],
    ['ENOTDIR', 'already_exists', 'conflict'],
    ['EXDEV', 'unsupported', 'unsupported'],
    ['ENAMETOOLONG', 'invalid_argument', 'invalid_argument'],
  ])('makes of %s a %s that names the file and keeps the cause', (system, code, kind) => {
    const cause = systemError(system);
    const error = fileError(cause, where);
    expect(error).toMatchObject({ code, kind, cause, details: { ...where, systemCode: system } });
    expect((error as Error).message).toContain('"a/b" in file:///data');
  });

  it('tells a missing file that is read from a folder that went away under a write', () => {
    expect(fileError(systemError('ENOENT'), { ...where, doing: 'read' })).toMatchObject({ code: 'not_found' });
    expect(fileError(systemError('EISDIR'), { ...where, doing: 'read' })).toMatchObject({ code: 'not_found' });
    expect(fileError(systemError('ENOENT'), where)).toMatchObject({ code: 'unavailable' });
  });

  it('leaves errors alone that are no failed system calls', async () => {
    const own = new SpiralError('cancelled', 'Enough.');
    const foreign = Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' });
    await expect(fileWork(Promise.reject(own), where)).rejects.toBe(own);
    await expect(fileWork(Promise.reject(foreign), where)).rejects.toBe(foreign);
  });
});
