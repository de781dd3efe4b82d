import type { CommandSpec } from './command.js';
import { completeCommand, completionCommand } from './completion.js';
import { configCommand } from './config-command.js';
import { convertCommands } from './convert-command.js';
import { doctorCommand } from './doctor-command.js';
import { inspectCommand } from './inspect-command.js';
import { benchCommand } from './loader-bench.js';
import { loaderCommands } from './loader-commands.js';
import { projectCommands } from './project-commands.js';
import { shardsCommand } from './shards-command.js';
import { simulateCommand } from './simulate-command.js';
import { streamCommands } from './stream-commands.js';
import { catalogCommands } from './table-catalog.js';
import { exportCommand } from './table-export.js';
import { importCommand } from './table-import.js';
import { rowCommands } from './table-rows.js';
import { upkeepCommands } from './table-upkeep.js';

const listed: readonly CommandSpec[] = [
  ...projectCommands,
  ...catalogCommands,
  ...rowCommands,
  importCommand,
  exportCommand,
  ...upkeepCommands,
  inspectCommand,
  shardsCommand,
  ...loaderCommands,
  benchCommand,
  ...streamCommands,
  simulateCommand,
  ...convertCommands,
  configCommand,
  doctorCommand,
];

/** Every command of `spiral`. */
export const commands: readonly CommandSpec[] = [...listed, completionCommand, completeCommand(listed)];
