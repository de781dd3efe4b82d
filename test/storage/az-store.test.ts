import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { azStore } from '../../src/storage/az-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { subStore } from '../../src/storage/sub-store.js';
import { pathsOf } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { leave } from './az-case.js';
import { azurite, azuriteFolder, forgetAzure, onAzurite } from './azurite.js';
import { withoutPeer } from './without-peer.js';

afterEach(forgetAzure);

describe('an azStore', () => {
  it('takes the containers that Azure itself makes, and no signature in its URI', () => {
    expect(subStore(openStore('az://$web/a'), 'ü').uri).toBe('az://$web/a/%C3%BC');
    const signed = (): unknown => openStore('az://c/x?sv=1&sig=SECRET');
    expect(signed).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(signed).not.toThrow(/SECRET/);
  });

  it('says what it needs to be known of the account', async () => {
    const bare = azStore('az://container/folder', new Retrier({ triesMax: 1 }));
    expect((await refusal(bare.get('a'))).code).toBe('permission_denied');
    process.env['AZURE_STORAGE_CONNECTION_STRING'] = 'AccountName=x;AccountKey=SECRET';
    const error = await refusal(bare.get('a'));
    expect(error.code).toBe('invalid_argument');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('SECRET');
    forgetAzure();
    process.env['AZURE_STORAGE_ACCOUNT'] = 'some.where/else?';
    expect((await refusal(bare.get('a'))).code).toBe('permission_denied');
  });

  it('asks for the package of identities where there is neither a key nor a signature', async () => {
    const environment = { AZURE_STORAGE_ACCOUNT: 'account' };
    expect(await withoutPeer('az://container', environment, ['@azure/storage-blob'])).toMatch(
      /^missing_peer .*npm install @azure\/identity/,
    );
  });

  it.skipIf(azuriteFolder === undefined)(`passes over folders of accounts with a hierarchy, ${onAzurite}`, async () => {
    await using server = await azurite();
    const uri = await server.folder();
    await leave('deep', uri, { hdi_isfolder: 'true' });
    const store = openStore(uri);
    await store.put('deep/x', new Uint8Array(1));
    expect(await pathsOf(store)).toEqual(['deep/x']);
    expect(await store.head('deep')).toBeUndefined();
  });
});
