import type { CommandSpec } from './command.js';
import { done } from './failure.js';

/** `spiral projects …`. */
export const projectCommands: readonly CommandSpec[] = [
  {
    words: ['projects', 'ls'],
    about: 'list the projects',
    examples: ['projects ls', 'projects ls --json'],
    run: async ({ spiral, out }) => {
      const projects = await Promise.all(
        (await spiral.listProjects()).map(async (project) => ({
          id: project.id,
          tables: (await project.listTables()).length,
        })),
      );
      const rows = projects.map(({ id, tables }) => [id, String(tables)]);
      await out.table([{ name: 'project' }, { name: 'tables', right: true }], rows, projects);
      return done;
    },
  },
  {
    words: ['projects', 'create'],
    about: 'make a project and print its id: the one given where that is free, else one that begins with it',
    arguments: [{ name: 'id', about: 'letters, digits, _ and -', optional: true }],
    options: [{ name: 'name', value: 'name', about: 'what people call it' }],
    examples: ['projects create demo'],
    run: async ({ spiral, line, out }) => {
      const name = line.text('name');
      const { id } = await spiral.createProject(line.optionalArgument('id'), name === undefined ? {} : { name });
      await (out.json ? out.document({ id }) : out.line(id));
      return done;
    },
  },
];
