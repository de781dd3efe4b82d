import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import type { ExprNode } from '../expr/node.js';
import { nodeText } from '../expr/node-text.js';
import { outwardCall } from '../expr/outward-call.js';
import { parseNode } from '../expr/parse-node.js';
import type { ObjectStore } from '../storage/store.js';
import { decodeFrame, encodeFrame, type FrameKind } from '../table/frame.js';
import { storedJson, storedObject, storedText, storedWhole, untrusted } from '../table/stored-value.js';
import { namePattern } from './project-record.js';

/** What a key-space index is, by its id. Never changed. */
export interface KeySpaceRecord {
  readonly id: string;
  readonly project: string;
  readonly table: string;
  readonly granularity: number;
  readonly projection: ExprNode;
  readonly where: ExprNode | undefined;
  /** The URI that was chosen for it, in which it has a folder named by its id; null: below the warehouse. */
  readonly rootUri: string | null;
}

const recordFrame: FrameKind = { mark: 0x494c5053, layout: 1, what: 'what an index is' }; // 'SPLI'

/** Keeps `record`. */
export async function putIndexRecord(store: ObjectStore, record: KeySpaceRecord): Promise<void> {
  const { projection, where, ...plain } = record;
  const nodes = { projection: JSON.stringify(projection), where: where === undefined ? null : JSON.stringify(where) };
  await store.put(indexPath(record.id), encodeFrame(recordFrame, { kind: 'key-space', ...plain, ...nodes }));
}

/** The record of index `id`. @throws SpiralError `unknown_index`, `corrupt_log`, `unsupported`. */
export async function readIndexRecord(store: ObjectStore, id: string): Promise<KeySpaceRecord> {
  if (typeof id !== 'string' || !namePattern.test(id)) throw unknownIndex(store, id);
  let bytes: Uint8Array;
  try {
    bytes = await store.get(indexPath(id));
  } catch (error) {
    if (isSpiralError(error, 'not_found')) throw unknownIndex(store, id, error);
    throw error;
  }
  try {
    return parseRecord(id, storedObject(decodeFrame(recordFrame, bytes), recordFrame.what));
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    const file = `${store.uri}/${indexPath(id)}`;
    const newer = error.code === 'unsupported';
    throw new SpiralError(
      newer ? 'unsupported' : 'corrupt_log',
      `Expected ${file} to be ${recordFrame.what}, found ${error.message.replace(/\.$/, '')}. ` +
        (newer ? 'Update spiral-loader.' : 'Restore the file from a copy, or make the index anew under another name.'),
      { details: { file }, cause: error },
    );
  }
}

function parseRecord(id: string, raw: Readonly<Record<string, unknown>>): KeySpaceRecord {
  const { kind, where, rootUri } = raw;
  if (kind !== 'key-space') throw new SpiralError('unsupported', `an index of the kind ${shown(kind)}`);
  const node = (text: unknown, what: string): ExprNode => parseNode(storedJson(storedText(text, what), what));
  const filter = where === null ? undefined : node(where, 'its filter');
  const outward = filter === undefined ? undefined : outwardCall(filter);
  // None was ever made so: whoever changed the record wants code run, or addresses asked, by those who sync.
  if (outward !== undefined) throw untrusted('its filter', 'one of columns alone', nodeText(outward));
  return {
    id,
    project: storedText(raw['project'], 'its project'),
    table: storedText(raw['table'], 'its table'),
    granularity: storedWhole(raw['granularity'], 'its granularity', 1),
    projection: node(raw['projection'], 'its projection'),
    where: filter,
    rootUri: rootUri === null ? null : storedText(rootUri, 'its root'),
  };
}

function unknownIndex(store: ObjectStore, id: string, cause?: unknown): SpiralError {
  return new SpiralError(
    'unknown_index',
    `The warehouse ${store.uri} has no index with the id ${shown(id)}. Open an index by its name with \`project.keySpaceIndex()\`.`,
    { details: { index: id }, cause },
  );
}

const indexPath = (id: string): string => `indexes/${id}/index`;
