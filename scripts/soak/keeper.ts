import { isSpiralError } from '../../src/core/errors.js';
import { sleep } from '../../src/core/runtime.js';
import { Journal } from './durable-file.js';
import type { Member } from './member.js';
import type { LedgerEntry } from './verify.js';

/** The file in which the keeper notes the history down before it lets the table forget it. */
export function keeperJournal(folder: string): string {
  return `${folder}/history.jsonl`;
}

/** Milliseconds between two works of upkeep, at most. */
const restMs = 8000;
/** Versions of so long ago are kept, and files as young: far longer than any write here takes. */
const retainMs = 60_000;
const graceMs = 180_000;

/** Compacts and vacuums until it is stopped. */
export async function keep({ settings, warehouse, random, stopped, send, insist }: Member): Promise<void> {
  const table = await insist(() => warehouse.table());
  const path = keeperJournal(settings.folder);
  const known = new Set((await Journal.read<LedgerEntry>(path)).map(({ version }) => version));
  const journal = await Journal.open<LedgerEntry>(path);
  while (!stopped.aborted) {
    await sleep(restMs * random.unit(), stopped).catch(() => {});
    const compacts = random.unit() < 0.7;
    try {
      if (compacts) await table.compact();
      else {
        const history = (await table.history()).filter(({ version }) => !known.has(version));
        await journal.add(...history.map(({ version, time, author }) => ({ version, time, author })));
        for (const { version } of history) known.add(version);
        const { files } = await table.vacuum({ retainMs, graceMs });
        if (files > 0) send({ kind: 'count', name: 'vacuums that deleted files' });
      }
      send({ kind: 'count', name: compacts ? 'compactions' : 'vacuums' });
    } catch (error) {
      // Another compaction was first, or the store could not answer: the next one does the rest.
      if (!isSpiralError(error, 'unavailable') && !isSpiralError(error, 'write_conflict')) throw error;
      send({ kind: 'count', name: 'upkeep that failed and is made up for' });
    }
  }
  await journal.close();
}
