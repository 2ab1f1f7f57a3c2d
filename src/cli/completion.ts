import { parseCommandLine } from "./commands.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { HELP } from "./help.ts";
import { print } from "./print.ts";

const SHELLS = { bash, zsh, fish } as const;

/** `nest completion SHELL`: prints a script that completes commands and options, made from the help texts. */
export function completion(args: readonly string[]): number {
  const { positionals } = parseCommandLine("completion", args, {}, 1);
  const shell = positionals[0] ?? "";
  if (!Object.hasOwn(SHELLS, shell))
    throw new Exit(EXIT_USAGE, `nest completion: expected bash, zsh or fish, found "${shell}"`);
  print(SHELLS[shell as keyof typeof SHELLS](commands()));
  return 0;
}

interface CommandInfo {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly {
    readonly name: string;
    readonly takes: string | undefined;
    readonly text: string;
  }[];
}

function commands(): CommandInfo[] {
  return Object.entries(HELP).map(([name, { summary, text }]) => ({
    name,
    summary,
    options: [...text.matchAll(/^ {2}(--[a-z-]+)(?: ([A-Z]+))? +(.+)$/gm)].map(
      ([, option = "", takes, words = ""]) => ({
        name: option,
        takes,
        text: words,
      }),
    ),
  }));
}

const words = (list: readonly { readonly name: string }[]) =>
  list.map(({ name }) => name).join(" ");
/** Inside of single quotes. */
const quoted = (text: string) => text.replaceAll("'", "’");

function bash(all: readonly CommandInfo[]): string {
  return `# nest completion bash
_nest() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} options
  case $before in
    --config|--token-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${words(all)} --help --version' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${all.map(({ name, options }) => `    ${name}) options='${words(options)} --help' ;;`).join("\n")}
    *) options= ;;
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -F _nest nest`;
}

function zsh(all: readonly CommandInfo[]): string {
  const specs = ({ options }: CommandInfo) =>
    options
      .map(({ name, takes, text }) => {
        const files = takes === "FILE" ? "_files" : " ";
        const value = takes === undefined ? "" : `:${takes}:${files}`;
        return `'${name}[${quoted(text).replace(/[[\]:]/g, " ")}]${value}'`;
      })
      .join(" ");
  return `#compdef nest
# nest completion zsh
_nest() {
  local -a commands
  commands=(
${all.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${all.map((command) => `    ${command.name}) _arguments ${specs(command)} '--help[help]' ;;`).join("\n")}
  esac
}
compdef _nest nest`;
}

function fish(all: readonly CommandInfo[]): string {
  const lines = all.flatMap(({ name, summary, options }) => [
    `complete -c nest -n __fish_use_subcommand -a ${name} -d '${quoted(summary)}'`,
    ...options.map(
      ({ name: option, takes, text }) =>
        `complete -c nest -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}${
          takes === undefined ? "" : takes === "FILE" ? " -r -F" : " -x"
        } -d '${quoted(text)}'`,
    ),
  ]);
  return ["# nest completion fish", "complete -c nest -f", ...lines].join("\n");
}
