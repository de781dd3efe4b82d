/**
 * What lets Node load the TypeScript of this folder, in a process (`--import`) or in a thread. Nothing else of a process is
 * translated, so it runs the package as its users do.
 */
export const typescriptHooks: string = new URL('run-typescript.mjs', import.meta.url).href;
