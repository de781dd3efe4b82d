import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/storage/open-store.js';
import { withoutSecrets } from '../../src/storage/shown-uri.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { webServer } from '../scan/web-server.js';
import { useS3 } from './s3-gateway.js';

afterEach(() => useS3());

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

/** A server of S3 that gives `answer` to every request, and credentials that nobody else may see. */
async function s3Server(answer: (to: ServerResponse) => void): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(response));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const before = { ...process.env };
  useS3(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'KEYID',
    AWS_SECRET_ACCESS_KEY: 'SECRET',
    AWS_SESSION_TOKEN: 'TOKEN',
  });
  return {
    [Symbol.asyncDispose]: async () => {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL_S3']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const one = new Uint8Array(1);

describe('credentials of S3', () => {
  it('are in no error, nor a signature, nor what was signed, however deep it is looked into', async () => {
    const text =
      '<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message><AWSAccessKeyId>KEYID</AWSAccessKeyId>' +
      '<StringToSign>SIGNED</StringToSign><CanonicalRequest>x-amz-security-token:TOKEN</CanonicalRequest></Error>';
    await using _ = await s3Server((to) => {
      to.writeHead(403, { 'content-type': 'application/xml', 'content-length': text.length }).end(text);
    });
    const store = openStore('s3://bucket/x');
    for (const work of [() => store.get('a'), () => store.put('a', one), () => store.delete('a')]) {
      const error = await refusal(work());
      expect(error.code).toBe('permission_denied');
      const all = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
      expect(all).toContain('403');
      expect(all).not.toMatch(/KEYID|SECRET|TOKEN|SIGNED|Signature=/);
    }
  });

  it('go to no server that theirs redirects to', async () => {
    const seen: (string | undefined)[] = [];
    await using elsewhere = await webServer({
      '/x': (request, to) => {
        seen.push(JSON.stringify(request.headers));
        to.end('theirs');
      },
    });
    for (const status of [301, 302, 307]) {
      await using _ = await s3Server((to) => {
        to.writeHead(status, { location: `${elsewhere.url}/x`, 'content-length': 0 }).end();
      });
      const store = openStore('s3://bucket/x');
      for (const work of [() => store.get('a'), () => store.put('a', one)]) await refusal(work());
    }
    expect(seen.join()).not.toMatch(/KEYID|TOKEN/);
  });
});
