import type { CommandSpec, OptionSpec } from './command.js';
import { commonOptions } from './program.js';

const shells = ['bash', 'zsh', 'fish'] as const;

/** Each shell asks `spiral complete` for the words that may come next; where there are none it offers files. */
const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `_spiral_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(spiral complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _spiral_complete spiral
`,
  zsh: `#compdef spiral
_spiral() {
  local -a found
  found=("\${(@f)$(spiral complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _spiral spiral
`,
  fish: `function __spiral_complete
  set -l words (commandline -opc) (commandline -ct)
  spiral complete -- $words[2..-1] 2>/dev/null
end
complete -c spiral -a '(__spiral_complete)'
`,
};

/** `spiral completion bash`: the script for a shell. */
export const completionCommand: CommandSpec = {
  words: ['completion'],
  about: 'print the script that completes commands and options in a shell',
  arguments: [{ name: 'shell', about: 'which', choices: shells }],
  examples: [
    'completion bash >> ~/.bashrc',
    'completion zsh > ~/.zfunc/_spiral',
    'completion fish > ~/.config/fish/completions/spiral.fish',
  ],
  print: (line) => scripts[line.argument('shell') as (typeof shells)[number]],
};

/** `spiral complete -- tables sc`: the words that may stand in the place of the last one. */
export function completeCommand(specs: readonly CommandSpec[]): CommandSpec {
  return {
    words: ['complete'],
    hidden: true,
    about: 'print the words that may come last; the scripts of completion ask it',
    arguments: [
      { name: 'words', about: 'the command line, the last word as far as it is typed', many: true, optional: true },
    ],
    examples: ['complete -- tables sc'],
    print: (line) =>
      wordsAfter([...specs, completionCommand], line.arguments('words'))
        .map((word) => `${word}\n`)
        .join(''),
  };
}

/** What may stand in the place of the last of `typed`. Nothing where only the user knows: files, names, values. */
export function wordsAfter(specs: readonly CommandSpec[], typed: readonly string[]): string[] {
  const last = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const spec = specs.find(({ words }) => words.every((word, at) => before[at] === word));
  const options = [...commonOptions, ...(spec?.options ?? [])];
  const value = options.find((option) => isOption(option, before.at(-1)) && option.value !== undefined);
  const choices = (): readonly string[] => {
    if (value !== undefined) return value.choices ?? [];
    if (last.startsWith('-')) return [...options.map(({ name }) => `--${name}`), '--help'];
    if (spec === undefined) return nextWords(specs, before);
    return spec.arguments?.find((argument) => argument.choices !== undefined)?.choices ?? [];
  };
  return [...new Set(choices())].filter((word) => word.startsWith(last)).sort();
}

function isOption({ name, short }: OptionSpec, word: string | undefined): boolean {
  return word !== undefined && (word === `--${name}` || word === `-${short}`);
}

function nextWords(specs: readonly CommandSpec[], before: readonly string[]): string[] {
  return specs
    .filter(
      ({ words, hidden }) => !hidden && words.length > before.length && before.every((word, at) => words[at] === word),
    )
    .map(({ words }) => words[before.length]!);
}
