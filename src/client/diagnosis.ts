import { resolvePeer } from '../core/peer.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import type { ObjectStore } from '../storage/store.js';
import type { StoreCacheSettings } from '../storage/store-caches.js';
import { cacheFindings } from './cache-findings.js';

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  /** `note`: works, but something is worth knowing. */
  readonly state: 'ok' | 'note' | 'failed';
  readonly found: string;
  /** What to do; null where nothing is. */
  readonly remedy: string | null;
}

/** The oldest Node.js that the package runs on, as `engines` of package.json has it. */
const nodeOldest = [20, 15] as const;
/** The clock of a store may lag by so much before times of versions and vacuum's grace are worth a look. */
const clockOffMsMax = 60_000;

const peers: readonly (readonly [name: string, use: string])[] = [
  ['@tensorflow/tfjs-node', 'training by the native TensorFlow'],
  ['@tensorflow/tfjs', 'training in plain JavaScript'],
  ['@tensorflow/tfjs-backend-wasm', 'training by WebAssembly'],
  ['@opentelemetry/api', 'metrics of loaders'],
  ['@aws-sdk/client-s3', 'tables and data sets in S3'],
  ['@google-cloud/storage', 'tables and data sets in Google Cloud Storage'],
  ['@azure/storage-blob', 'tables and data sets in Azure'],
  ['@azure/identity', 'Azure without a key or a signature'],
];

/** Looks at what `Spiral.diagnose` names. */
export async function diagnosis(store: () => ObjectStore, caches: StoreCacheSettings): Promise<Finding[]> {
  const [ofStore, ofCaches] = await Promise.all([storeFindings(store), cacheFindings(caches)]);
  return [nodeFinding(process.versions.node), ...peers.map(peerFinding), ...ofStore, ...ofCaches];
}

/** Whether `version` of Node.js will do. */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [least, leastMinor] = nodeOldest;
  const isOld = major < least || (major === least && minor < leastMinor);
  return isOld
    ? { check: 'Node.js', state: 'failed', found: version, remedy: `Install ${least}.${leastMinor} or newer.` }
    : { check: 'Node.js', state: 'ok', found: version, remedy: null };
}

function peerFinding([name, use]: readonly [string, string]): Finding {
  const isThere = resolvePeer(name) !== undefined;
  return isThere
    ? { check: name, state: 'ok', found: `installed, for ${use}`, remedy: null }
    : { check: name, state: 'note', found: 'not installed', remedy: `For ${use}: npm install ${name}` };
}

async function storeFindings(open: () => ObjectStore): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (check: string, work: () => Promise<string | Omit<Finding, 'check'>>): Promise<boolean> => {
    try {
      const found = await work();
      findings.push(typeof found === 'string' ? { check, state: 'ok', found, remedy: null } : { check, ...found });
      return true;
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      findings.push({ check, state: 'failed', found, remedy: null });
      return false;
    }
  };
  let store: ObjectStore | undefined;
  await look('store', async () => {
    store = open();
    let objects = 0;
    for await (const _ of store.list('projects/')) objects++;
    return `${store.uri}: ${objects} objects of projects`;
  });
  if (store === undefined || findings.at(-1)!.state === 'failed') return findings;
  const place: ObjectStore = store;
  const path = `diagnosis/${uniqueId('')}`;
  const bytes = new TextEncoder().encode(path);
  const isWritten = await look('write and read', async () => {
    await place.put(path, bytes);
    const back = await place.getRange(path, 1, bytes.length - 1);
    if (Buffer.compare(back, bytes.subarray(1)) !== 0)
      throw new Error('Expected the bytes that were written, got others.');
    return 'works';
  });
  if (!isWritten) return findings;
  await look('conditional write', async () => {
    const again = await place.putIfAbsent(path, bytes);
    if (again) {
      throw new Error(
        'A second writer of one name won as well, so commits can be lost. Take a store that heeds If-None-Match.',
      );
    }
    return 'of two writers one wins';
  });
  await look('clock', () => clockFinding(place, path));
  await look('delete', async () => {
    await place.delete(path);
    return 'works';
  });
  return findings;
}

async function clockFinding(store: ObjectStore, path: string): Promise<string | Omit<Finding, 'check'>> {
  const info = await store.head(path);
  if (info === undefined) throw new Error('Expected to find what was written, found nothing.');
  const offMs = info.modifiedMs - wallMicros() / 1000;
  const found = `the store's is ${(Math.abs(offMs) / 1000).toFixed(1)} s ${offMs < 0 ? 'behind' : 'ahead'}`;
  if (Math.abs(offMs) <= clockOffMsMax) return found;
  return {
    state: 'note',
    found,
    remedy: 'Set both clocks by NTP: vacuum compares times of files with times of commits.',
  };
}
