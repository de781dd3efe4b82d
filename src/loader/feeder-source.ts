import { pathToFileURL } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import type { Verify } from '../core/verify.js';
import { reopenScan, type SharedRecipe, shareRecipe } from '../scan/reopen.js';
import { scanSource } from '../scan/scan-source.js';
import { threadEntry } from '../workers/thread-entry.js';
import type { FeederRecipe } from './feeder-protocol.js';
import type { OpenSource, SourceOptions } from './source.js';

/** How another thread opens a source that is no scan: by a module of this package, which exports {@link SourceModule}. */
export interface ModuleRecipe {
  /** As `streaming/dataset/reopen-samples.js`. */
  readonly module: string;
  /** A thread's file that holds all this, and loads sooner; left out where what is opened may import more. */
  readonly bundle?: string | undefined;
  /** Plain data, and ports that this thread serves. */
  share(): { readonly data: unknown; readonly ports: readonly MessagePort[]; close(): void };
}

export interface SourceModule {
  /** The source of which `data` is what its recipe shared. */
  openSource(data: unknown, options: SourceOptions): Promise<OpenSource>;
}

/** A recipe that crosses to the feeder's thread. */
export type SharedSource = SharedRecipe | { readonly module: string; readonly data: unknown };

/** `recipe` for the feeder's thread, its `ports` to be transferred; `close` ends what this thread serves over them. */
export function shareSource(recipe: FeederRecipe): {
  shared: SharedSource;
  ports: readonly MessagePort[];
  close(): void;
} {
  if ('scan' in recipe) return shareRecipe(recipe);
  const { data, ports, close } = recipe.share();
  return { shared: { module: recipe.module, data }, ports, close };
}

const known = new Map<string, SourceModule>();

/** Has `module` opened by `opener`, which is loaded already. */
export function knowSource(module: string, opener: SourceModule): void {
  known.set(module, opener);
}

/** Opens the source in the feeder's thread, for as long as that lives. */
export async function reopenSource(shared: SharedSource, verify: Verify | undefined): Promise<OpenSource> {
  if ('scan' in shared) return scanSource(await reopenScan(shared), verify);
  const module = known.get(shared.module) ?? (await import(pathToFileURL(threadEntry(shared.module)).href));
  return (module as SourceModule).openSource(shared.data, { verify });
}
