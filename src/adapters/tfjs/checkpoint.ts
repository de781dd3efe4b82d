import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs';
import { knownOptions } from '../../core/check.js';
import type { ErrorCode } from '../../core/codes.js';
import { SpiralError, shown } from '../../core/errors.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';
import { wholeJson } from './checkpoint-json.js';
import { captureModel, type ModelState, restoreModel } from './model-state.js';
import type { Tf } from './tf.js';

/** All of a training run at one step. */
export interface Checkpoint {
  readonly model: ModelState;
  /** The loader's state, for `resumeDataLoader`. */
  readonly loader: unknown;
  /** What else was saved with it; `null` where nothing was. */
  readonly extra: unknown;
}

/** What to save. */
export interface SaveCheckpointOptions {
  /** Its weights and its optimizer's state. */
  readonly model: LayersModel;
  /** `loader.stateDict()`, taken after the same step. */
  readonly loader: unknown;
  /** Any JSON: the step, the best score (finite), the command line. Default `null`. */
  readonly extra?: unknown;
}

/**
 * Writes model, optimizer and loader state as one file, which is durable when this resolves and otherwise the one before:
 * `<path>.tmp` beside it, fsync, rename, fsync of the folder (law 22a). Await it before the next training step.
 *
 * The file: 8 bytes of magic, version, length and CRC-32 of a JSON header, then the raw weights with a CRC-32 of theirs.
 *
 * @throws SpiralError `invalid_argument` for what is no path, no model or no JSON; `unsupported` for an optimizer without
 * state to save; `storage_full`, `permission_denied`, `not_found` (no such folder) or `unavailable` where the file cannot be
 * written.
 */
export async function saveCheckpoint(path: string, options: SaveCheckpointOptions): Promise<void> {
  checkPath(path);
  knownOptions('saveCheckpoint', options, ['model', 'loader', 'extra']);
  const loader = wholeJson('loader', options.loader ?? null);
  const extra = wholeJson('extra', options.extra ?? null);
  const model = await captureModel(options.model);
  const parts = encodeCheckpoint({ model, loader, extra });
  // Saves of one file take turns, for they share the temporary: a killed process leaves at most that one behind.
  const before = saving.get(path);
  const turn = (before ?? Promise.resolve()).catch(() => {}).then(() => replaceFile(path, parts));
  saving.set(path, turn);
  try {
    await turn;
  } finally {
    if (saving.get(path) === turn) saving.delete(path);
  }
}

/** The last save of each file that is under way. */
const saving = new Map<string, Promise<void>>();

/**
 * The checkpoint at `path`, or `undefined` where there is none.
 *
 * @throws SpiralError `corrupt_file` for a damaged or foreign file, `state_version` for one of a newer release,
 * `permission_denied` or `unavailable` for one that cannot be read, `invalid_argument` for what is no path.
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint | undefined> {
  checkPath(path);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code, found } = systemCode(cause);
    if (found === 'ENOENT') return undefined;
    throw new SpiralError(
      code,
      `Could not read the checkpoint ${path} (${found || String(cause)}). Check that it is a file that may be read.`,
      { details: { path, code: found }, cause },
    );
  }
  return decodeCheckpoint(bytes, path);
}

/**
 * Sets `model` and its optimizer to the checkpoint, so that training goes on bit for bit as if it had not stopped. Build
 * and compile the model as the saved one was.
 *
 * @param tf Default: the TensorFlow.js that `loadTf()` found or that this process has imported.
 * @throws SpiralError `state_mismatch` for another model or optimizer, `invalid_argument` for what is no model or no
 * checkpoint.
 */
export async function restoreCheckpoint(model: LayersModel, checkpoint: Checkpoint, tf?: Tf): Promise<void> {
  if (!Array.isArray(checkpoint?.model?.weights)) {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`checkpoint\` to be what \`loadCheckpoint\` gave, got ${shown(checkpoint)}. Where it gave undefined there is ` +
        'no such file: begin from the start.',
      { details: { found: checkpoint } },
    );
  }
  await restoreModel(model, checkpoint.model, tf);
}

async function replaceFile(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw unwritable(path, cause);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function checkPath(path: unknown): void {
  if (typeof path === 'string' && path !== '') return;
  throw new SpiralError('invalid_argument', `Expected \`path\` to be the path of a file, got ${shown(path)}.`, {
    details: { found: path },
  });
}

const systemCodes = {
  ENOSPC: 'storage_full',
  EDQUOT: 'storage_full',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  ENOENT: 'not_found',
} as const;

/** The system's word for what went wrong, and ours. */
function systemCode(cause: unknown): { found: string; code: ErrorCode } {
  const found = (cause as NodeJS.ErrnoException).code ?? '';
  return { found, code: found in systemCodes ? systemCodes[found as keyof typeof systemCodes] : 'unavailable' };
}

function unwritable(path: string, cause: unknown): SpiralError {
  const { found, code } = systemCode(cause);
  const folder = dirname(path);
  return new SpiralError(
    code,
    `Could not write the checkpoint ${basename(path)} (${found || String(cause)}). The one before it, if any, is whole. ` +
      `Check that the folder ${folder} exists, is writable and has room.`,
    { details: { path, code: found }, cause },
  );
}
