/**
 * When the checksum of a stored buffer is checked: on its first read in a thread, on every read, or never (law 22).
 * Dictionaries, which are read once for all, and what tells where buffers are, are always checked.
 */
export type Verify = 'first' | 'always' | 'never';

export const verifyWords: readonly Verify[] = ['first', 'always', 'never'];
