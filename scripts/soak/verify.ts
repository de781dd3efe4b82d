import type { Evidence } from './evidence.js';
import type { StoryModel } from './story.js';

/** One commit, as a table's history tells it. */
export interface LedgerEntry {
  readonly version: number;
  readonly time: number;
  readonly author: string | null;
}

/** Breaches of one kind that are told one by one. */
const toldMax = 5;

/**
 * What is wrong with the rows of a snapshot: of each writer they must be those that its story has after the step that the
 * writer's head row tells, each once, and no step that was acknowledged before the snapshot may be missing.
 *
 * @param evidence the rows, each model being that of the writer of its number.
 * @param acknowledged of each writer the last step acknowledged before the snapshot; where `isExact`, the very step it is at.
 * @param isWanted whether the scan gives rows of a slot.
 */
export function snapshotBreaches(
  evidence: Evidence,
  models: readonly StoryModel[],
  acknowledged: readonly number[],
  isExact = false,
  isWanted: (slot: number) => boolean = () => true,
): string[] {
  const wrong: string[] = [];
  let more = 0;
  const tell = (text: string): void => {
    if (wrong.length < toldMax) wrong.push(text);
    else more++;
  };
  for (const [writer, model] of models.entries()) {
    const size = model.main.length;
    const from = writer * size;
    const step = evidence.main[from + size - 1]!;
    const least = acknowledged[writer]!;
    if (step < least || (isExact && step !== least)) {
      tell(`writer ${writer} had step ${least} acknowledged, and the snapshot has step ${step}`);
    }
    model.go(step);
    for (let slot = 0; slot < size; slot++) {
      const [main, note] = isWanted(slot) ? [model.main[slot]!, model.note[slot]!] : [0, 0];
      const count = evidence.count[from + slot]!;
      const expected = main === 0 && note === 0 ? 0 : 1;
      if (count !== expected) tell(`row ${writer}/${slot} came ${count} times at step ${step}, not ${expected}`);
      else if (evidence.main[from + slot] !== main || evidence.note[from + slot] !== note) {
        const found = `${evidence.main[from + slot]} and note ${evidence.note[from + slot]}`;
        tell(`row ${writer}/${slot} is that of step ${found}, not ${main} and ${note}, at step ${step}`);
      }
    }
  }
  return more === 0 ? wrong : [...wrong, `and ${more} more`];
}

/**
 * What is wrong with a table's commits, of all that were ever in its history: versions must follow one another, times rise,
 * and each writer must have made as many commits as it took steps.
 *
 * @param steps the steps that were acknowledged to each author.
 */
export function ledgerBreaches(commits: readonly LedgerEntry[], steps: ReadonlyMap<string, number>): string[] {
  const wrong: string[] = [];
  const byVersion = new Map<number, LedgerEntry>();
  for (const commit of commits) {
    const known = byVersion.get(commit.version);
    if (known !== undefined && (known.time !== commit.time || known.author !== commit.author)) {
      wrong.push(`version ${commit.version} was once of ${known.author}, then of ${commit.author}`);
    }
    byVersion.set(commit.version, commit);
  }
  const sorted = [...byVersion.values()].sort((a, b) => a.version - b.version);
  for (const [at, { version, time }] of sorted.entries()) {
    if (version !== at + 1) {
      wrong.push(`version ${at + 1} is not in the history, but ${version} is`);
      break;
    }
    if (at > 0 && time <= sorted[at - 1]!.time) wrong.push(`the time of version ${version} is not above that before`);
  }
  for (const [author, count] of steps) {
    const made = sorted.filter((commit) => commit.author === author).length;
    if (made !== count) wrong.push(`${author} had ${count} commits acknowledged, and the history has ${made} of it`);
  }
  return wrong.length <= toldMax ? wrong : [...wrong.slice(0, toldMax), `and ${wrong.length - toldMax} more`];
}
