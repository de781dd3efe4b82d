import type { ErrorCode } from '../core/codes.js';
import { SpiralError, shown } from '../core/errors.js';
import { notFound } from './store-errors.js';

/** What was being done to which object when a system call failed. */
export interface FileWork {
  readonly uri: string;
  readonly path: string;
  readonly doing: 'read' | 'write' | 'list' | 'delete';
}

/** Settles as `work` does, but for a failed system call rejects with what {@link fileError} makes of it. */
export async function fileWork<T>(work: Promise<T>, where: FileWork): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fileError(error, where);
  }
}

/** The system's name for a failure (`ENOENT` …), or undefined for errors that are no failed system call. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** A failed system call as a SpiralError that names the file and the remedy; any other error as it is. */
export function fileError(error: unknown, where: FileWork): unknown {
  const code = systemCode(error);
  if (code === undefined || error instanceof SpiralError) return error;
  const file = `${shown(where.path)} in ${where.uri}`;
  const details = { ...where, systemCode: code };
  const make = (as: ErrorCode, what: string): SpiralError =>
    new SpiralError(as, `Could not ${where.doing} ${file} (${code}): ${what}.`, { details, cause: error });
  switch (code) {
    case 'ENOENT':
      if (where.doing !== 'write') return notFound(where.uri, where.path, error);
      return make(
        'unavailable',
        'its folder went away meanwhile. Try again, and let nobody delete folders of a store in use',
      );
    case 'ENOTDIR':
    case 'EISDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      if (where.doing === 'read') return notFound(where.uri, where.path, error);
      return make(
        'already_exists',
        'a file stands where a folder is wanted, or the other way round. Choose another path, or move that away',
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return make(
        'permission_denied',
        'this user may not. Mend the rights of the file and its folders, or open the store elsewhere',
      );
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return make(
        'storage_full',
        'the disk or the quota is full. Free some space, then write again: nothing was left behind',
      );
    case 'EMFILE':
    case 'ENFILE':
      return make('unavailable', 'too many files are open. Raise the limit (ulimit -n), or read fewer files at once');
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return make(
        'invalid_argument',
        'the name is too long, its links run in a circle, or a link stands where none is followed. Choose another path',
      );
    case 'EXDEV':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOSYS':
    case 'EMLINK':
      return make(
        'unsupported',
        'the store needs one file system with hard links from its root down. Open it on a local disk',
      );
    default:
      return make('unavailable', 'the file system failed. Look at the disk or the mount, then try again');
  }
}
