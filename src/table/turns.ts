/** The last commit of this process to each log. */
const turns = new Map<string, Promise<unknown>>();

/** Runs `work` once those before it at `where` have ended: writers of one process need not race each other. */
export function inTurn<T>(where: string, work: () => Promise<T>): Promise<T> {
  const done = (turns.get(where) ?? Promise.resolve()).then(work, work);
  const turn = done
    .catch(() => {})
    .then(() => {
      if (turns.get(where) === turn) turns.delete(where);
    });
  turns.set(where, turn);
  return done;
}
