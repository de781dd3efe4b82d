import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutSecrets } from '../../src/storage/shown-uri.js';
import { lawRuns } from '../laws.js';

describe('a URI as messages show it', () => {
  it('is without user, password and query, whatever they hold, for every scheme', () => {
    const secret = fc.string({ unit: fc.constantFrom(...'AB/+=%@:?#'), minLength: 1, maxLength: 12 });
    const id = fc.string({ unit: fc.constantFrom(...'AB+=%'), minLength: 1, maxLength: 12 });
    const scheme = fc.constantFrom('s3', 'gs', 'az', 'ftp', 'http', 'https', 'S3');
    fc.assert(
      fc.property(scheme, id, secret, (name, user, password) => {
        const shown = withoutSecrets(`${name}://U${user}X:P${password}X@bucket/folder?sig=SIGNED&sv=1`);
        expect(shown).not.toMatch(/U.*X|P.*X|SIGNED/);
      }),
      { numRuns: lawRuns(300, 20_000) },
    );
  });

  it.each([
    '/a@b/c?d=e',
    'file:///a@b',
    's3://bucket/user@host/x',
    's3://bucket/part-?.parquet',
    'memory://name%3A/x',
    'az://container/a b',
    'http://host:8080/a',
  ])('%s is shown as it is', (uri) => {
    expect(withoutSecrets(uri)).toBe(uri);
  });
});
