import { expect, it } from 'vitest';
import { filePlace } from '../../src/scan/file-place.js';
import { openStore } from '../../src/storage/open-store.js';
import { refusal } from '../format/stored-file.js';

it.each([
  ['half a character', 'memory://a\ud800b'],
  ['half a character, as a path', './a\udc00'],
  ['a hundred thousand slashes', `http://host${'/'.repeat(100_000)}x`],
])('a URI with %s is refused at once', async (_, uri) => {
  for (const open of [openStore, filePlace]) {
    const error = await refusal(Promise.resolve().then(() => open(uri)));
    expect(error.code).toBe('invalid_argument');
    expect(error.message.length).toBeLessThan(300);
  }
});
