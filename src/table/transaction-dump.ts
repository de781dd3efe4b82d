import { isSpiralError, SpiralError } from '../core/errors.js';
import { openStore } from '../storage/open-store.js';
import { withoutSecrets } from '../storage/shown-uri.js';
import type { ObjectStore } from '../storage/store.js';
import { type OperationJson, operationJson, parseOperationJson } from './operation-json.js';
import { storedJson, storedList, storedObject, untrusted } from './stored-value.js';

/** What stands at the top of every dump. */
const dumpKind = 'spiral-transaction';

/** Writes `operations` of `transaction` to the file at `uri`, a path or a URI; durable when the promise resolves. */
export async function putDump(uri: string, transaction: string, operations: readonly OperationJson[]): Promise<void> {
  const text = `${JSON.stringify({ kind: dumpKind, transaction, operations }, null, 1)}\n`;
  await inStore(uri, (store, name) => store.put(name, new TextEncoder().encode(text)));
}

/**
 * The operations in the dump at `uri`.
 *
 * @throws SpiralError `not_found`; `corrupt_log` for a file that is no dump or is damaged; `state_version`.
 */
export async function readDump(uri: string): Promise<OperationJson[]> {
  const bytes = await inStore(uri, (store, name) => store.get(name));
  try {
    const dump = storedObject(storedJson(Buffer.from(bytes).toString('utf8'), 'it'), 'it');
    if (dump['kind'] !== dumpKind) throw untrusted('its kind', dumpKind, dump['kind']);
    return storedList(dump['operations'], 'its operations').map((raw) => operationJson(parseOperationJson(raw)));
  } catch (error) {
    if (isSpiralError(error, 'state_version')) throw error;
    const found = isSpiralError(error) ? error.message : String(error);
    throw new SpiralError(
      'corrupt_log',
      `Expected ${withoutSecrets(uri)} to be the dump of a transaction. ${found} Write it again with commit({ txnDump }).`,
      { details: { file: withoutSecrets(uri) }, cause: error },
    );
  }
}

async function inStore<T>(uri: string, work: (store: ObjectStore, name: string) => Promise<T>): Promise<T> {
  const cut = Math.max(uri.lastIndexOf('/'), uri.lastIndexOf('\\'));
  const [folder, name] = [cut < 0 ? '.' : uri.slice(0, cut + 1), uri.slice(cut + 1)];
  if (name === '') {
    throw new SpiralError(
      'invalid_argument',
      `Expected the path of a file for a transaction's dump, got '${withoutSecrets(uri)}'.`,
      {
        details: { file: withoutSecrets(uri) },
      },
    );
  }
  const store = openStore(folder);
  try {
    return await work(store, /^[a-z][a-z0-9+.-]*:\/\//i.test(uri) ? decodeURIComponent(name) : name);
  } finally {
    await store.close();
  }
}
