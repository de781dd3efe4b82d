import type { Spiral, Table } from 'spiral-loader';
import { paragraphs } from './corpus.js';

/** The table of one part of the book, written once: `{ chapter: int32, paragraph: int32 } -> { text: utf8 }`. */
export async function bookTable(spiral: Spiral, part: 'train' | 'test'): Promise<Table> {
  const project = (await spiral.listProjects())[0] ?? (await spiral.createProject('tokens'));
  const keySchema = { chapter: 'int32', paragraph: 'int32' };
  const table = await project.createTable(`moby.${part}`, { keySchema, existOk: true });
  if (await (await spiral.scan(table.select('chapter'))).isEmpty())
    await table.write(paragraphs(part), { batchRows: 128 });
  return table;
}
