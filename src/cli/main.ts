#!/usr/bin/env node
import { commands } from './commands.js';
import { done, failed } from './failure.js';
import { runCommandLine } from './run.js';

// A reader that goes away (`| head`) wants no more, and no complaint either.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? done : failed));
}

process.exitCode = await runCommandLine(commands, process.argv.slice(2));
