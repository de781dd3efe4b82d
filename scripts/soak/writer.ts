import type { Table } from '../../src/client/table.js';
import { isSpiralError } from '../../src/core/errors.js';
import { sleep } from '../../src/core/runtime.js';
import { se } from '../../src/index.js';
import { checkedRows } from './checked-rows.js';
import { Journal } from './durable-file.js';
import { Evidence } from './evidence.js';
import type { Member } from './member.js';
import { headSlot } from './settings.js';
import { payloadOf, StoryModel, storyStep } from './story.js';
import { snapshotBreaches } from './verify.js';

/** What a writer notes down: before a step, after the store acknowledged it, and when it found it done after a kill. */
export interface WriterEntry {
  readonly begin?: number;
  readonly done?: number;
}

/** The file of a writer's journal. */
export function writerJournal(folder: string, writer: number): string {
  return `${folder}/writer-${writer}.jsonl`;
}

/** Steps after which a writer reads its own rows. */
const checkEvery = 20;
/** The step that a sabotaged soak says is done and does not do. */
const lostStep = 3;

/** Commits step after step of the writer's story until it is stopped. */
export async function write(member: Member, writer: number): Promise<void> {
  const { settings, warehouse, stopped } = member;
  const path = writerJournal(settings.folder, writer);
  const table = await member.insist(() => warehouse.table());
  const entries = await Journal.read<WriterEntry>(path);
  const journal = await Journal.open<WriterEntry>(path);
  let step = Math.max(0, ...entries.map(({ done }) => done ?? 0));
  const begun = Math.max(0, ...entries.map(({ begin }) => begin ?? 0));
  const acknowledge = async (): Promise<void> => {
    await journal.add({ done: step });
    member.send({ kind: 'acknowledged', writer, step });
  };
  if (begun > step) {
    // Killed in the midst of a step: it is done or it is not, and the table says so.
    const found = await headStep(member, table, writer);
    if (found !== step && found !== begun) throw new Error(`Step ${begun} was under way, and step ${found} is there.`);
    member.send({ kind: 'count', name: found === begun ? 'kills after a commit' : 'kills before a commit' });
    if (found === begun) {
      step = begun;
      await acknowledge();
    }
  }
  for (let turn = 1; !stopped.aborted; turn++) {
    const next = step + 1;
    await journal.add({ begin: next });
    const isLost = settings.sabotage !== undefined && writer === 0 && next === lostStep;
    if (isLost || (await isDone(member, table, writer, next))) {
      step = next;
      await acknowledge();
      member.send({ kind: 'count', name: 'commits' });
    }
    if (turn % checkEvery === 0) await checkOwn(member, table, writer, step);
    member.tellAlive();
    await sleep(settings.pauseMs * member.random.unit(), stopped).catch(() => {});
  }
  await checkOwn(member, table, writer, step);
  await journal.close();
}

/** Commits step `step`; whether it is there. */
async function isDone(member: Member, table: Table, writer: number, step: number): Promise<boolean> {
  try {
    await commitStep(member, table, writer, step);
    return true;
  } catch (error) {
    if (!isSpiralError(error, 'unavailable')) throw error;
    const found = await headStep(member, table, writer);
    const isThere = found === step;
    if (!isThere && found !== step - 1) throw new Error(`Step ${step} failed, and step ${found} is there.`);
    if (isThere && error.details['outcome'] !== 'unknown') {
      throw new Error(`Step ${step} is there, though the error said that nothing was written.`, { cause: error });
    }
    member.send({ kind: 'count', name: 'commits that failed and were made again' });
    return isThere;
  }
}

async function commitStep({ settings }: Member, table: Table, writer: number, step: number): Promise<void> {
  const { written, deleted, noted } = storyStep(settings.seed, writer, step, settings.slots);
  const keys = (slots: ArrayLike<number>): { writer: Int32Array; slot: Int32Array } => ({
    writer: new Int32Array(slots.length).fill(writer),
    slot: Int32Array.from(slots),
  });
  const head = headSlot(settings);
  const slots = [...written, head];
  const rows = {
    ...keys(slots),
    step: new Int32Array(slots.length).fill(step),
    payload: slots.map((slot) => payloadOf(writer, slot, step)),
  };
  if (deleted.length === 0 && noted.length === 0) return table.write(rows);
  await table.transaction(async (txn) => {
    await txn.write(rows);
    if (deleted.length > 0) await txn.deleteKeys(keys(deleted));
    if (noted.length > 0) await txn.write({ ...keys(noted), note: new Int32Array(noted.length).fill(step) });
  });
}

/** The last step of the writer that the table holds. */
function headStep(member: Member, table: Table, writer: number): Promise<number> {
  return member.insist(async () => {
    if (!(await table.schema()).fields.some(({ name }) => name === 'step')) return 0;
    const where = se.and(table.col('writer').eq(writer), table.col('slot').eq(headSlot(member.settings)));
    const rows = await (await member.warehouse.scan(table, { where })).toRows();
    return Number(rows[0]?.['step'] ?? 0);
  });
}

/** Reads the writer's own rows, which must be those of its last step. */
async function checkOwn(member: Member, table: Table, writer: number, step: number): Promise<void> {
  const { settings, warehouse } = member;
  if (step === 0) return;
  const evidence = await member.insist(async () => {
    const found = new Evidence(settings);
    const scan = await warehouse.scan(table, { where: table.col('writer').eq(writer) });
    for await (const batch of scan.toRecordBatches()) {
      for (const text of found.add(checkedRows(batch)))
        member.send({ kind: 'breach', text: `${member.name}: ${text}` });
    }
    return found;
  });
  const models = [new StoryModel(settings.seed, writer, settings.slots)];
  const size = settings.slots + 1;
  const own = new Evidence({ writers: 1, slots: settings.slots });
  own.count.set(evidence.count.subarray(writer * size, (writer + 1) * size));
  own.main.set(evidence.main.subarray(writer * size, (writer + 1) * size));
  own.note.set(evidence.note.subarray(writer * size, (writer + 1) * size));
  for (const text of snapshotBreaches(own, models, [step], true)) {
    member.send({ kind: 'breach', text: `${member.name} at its step ${step}: ${text}` });
  }
  member.send({ kind: 'count', name: "readings of a writer's own rows" });
}
