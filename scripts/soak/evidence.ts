import { readFile } from 'node:fs/promises';
import type { CheckedRows } from './checked-rows.js';
import { writeDurably } from './durable-file.js';
import type { SoakSettings } from './settings.js';

/** Which rows were received in an epoch, and what they held. */
export class Evidence {
  /** By writer and slot: how often a row came, the step of its text, the step of its note. */
  readonly count: Int32Array;
  readonly main: Int32Array;
  readonly note: Int32Array;
  readonly #all: Int32Array;
  readonly #settings: Pick<SoakSettings, 'writers' | 'slots'>;

  constructor(settings: Pick<SoakSettings, 'writers' | 'slots'>, all?: Int32Array) {
    const size = settings.writers * (settings.slots + 1);
    this.#settings = settings;
    this.#all = all ?? new Int32Array(3 * size);
    this.count = this.#all.subarray(0, size);
    this.main = this.#all.subarray(size, 2 * size);
    this.note = this.#all.subarray(2 * size);
  }

  /** Adds the rows of a batch, and says what is wrong with them. */
  add(rows: CheckedRows): string[] {
    const { writers, slots } = this.#settings;
    const wrong = [...rows.wrong];
    for (let row = 0; row < rows.writer.length; row++) {
      const [writer, slot] = [rows.writer[row]!, rows.slot[row]!];
      if (writer < 0 || writer >= writers || slot < 0 || slot > slots) {
        wrong.push(`row ${writer}/${slot} is none of any writer`);
        continue;
      }
      const at = writer * (slots + 1) + slot;
      if (++this.count[at]! > 1) wrong.push(`row ${writer}/${slot} came ${this.count[at]} times`);
      this.main[at] = rows.step[row]!;
      this.note[at] = rows.note[row]!;
    }
    return wrong;
  }

  /** Adds what another rank received, and says which rows both did. */
  merge(other: Evidence): string[] {
    const wrong: string[] = [];
    const { slots } = this.#settings;
    for (let at = 0; at < this.count.length; at++) {
      if (other.count[at] === 0) continue;
      if (this.count[at]! > 0) wrong.push(`row ${Math.floor(at / (slots + 1))}/${at % (slots + 1)} came to two ranks`);
      this.count[at]! += other.count[at]!;
      this.main[at] = other.main[at]!;
      this.note[at] = other.note[at]!;
    }
    return wrong;
  }

  /** Forgets all. */
  clear(): void {
    this.#all.fill(0);
  }

  /** Puts it into the file at `path`, behind `header`: whole or not at all. */
  async save(path: string, header: object): Promise<void> {
    const bytes = new Uint8Array(this.#all.buffer, this.#all.byteOffset, this.#all.byteLength);
    await writeDurably(path, [Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
  }

  /** What `save` put there; undefined where there is nothing. */
  static async load<Header>(
    path: string,
    settings: Pick<SoakSettings, 'writers' | 'slots'>,
  ): Promise<{ header: Header; evidence: Evidence } | undefined> {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf('\n');
    const all = new Int32Array(bytes.buffer.slice(bytes.byteOffset + end + 1, bytes.byteOffset + bytes.length));
    return { header: JSON.parse(bytes.toString('utf8', 0, end)) as Header, evidence: new Evidence(settings, all) };
  }
}
