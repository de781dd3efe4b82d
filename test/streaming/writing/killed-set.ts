/** The data set of mds-writer-kill.test.ts and of the process that it kills. */
export const killedColumns: Readonly<Record<string, string>> = { id: 'int', text: 'str' };
export const killedOptions = { sizeLimit: 4000, compression: 'zstd', hashes: ['xxh64'] } as const;
export const killedSample = (id: number): { id: number; text: string } => ({ id, text: `sample number ${id}` });
