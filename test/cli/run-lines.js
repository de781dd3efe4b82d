// Runs the command lines in SPIRAL_LINES, one after the other, with the built command whose folder's URL is the argument.
// A NUL ends what each of them writes.
import { writeSync } from 'node:fs';

const folder = process.argv[2];
const { commands } = await import(new URL('commands.js', folder).href);
const { runCommandLine } = await import(new URL('run.js', folder).href);
for (const line of JSON.parse(process.env.SPIRAL_LINES)) {
  const code = await runCommandLine(commands, line);
  writeSync(1, `${code === 0 ? '' : `(exit code ${code})\n`}\0`);
}
