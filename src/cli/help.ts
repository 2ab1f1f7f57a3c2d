/** Help of each command: what it does, usage, options. */
export const HELP = {
  serve: {
    summary: "start the gateway (the default)",
    text: `Usage: nest [serve] [--config FILE] [--demo]

Starts the gateway. Where there is no config file it makes one first, with a new token and a vault.

  --config FILE   config file (default: ./config.yaml)
  --demo          answers come from pi's scripted model: no key, no network

SIGHUP reads the config anew, SIGTERM and SIGINT stop.`,
  },
  init: {
    summary: "write a config with a new token, and a vault",
    text: `Usage: nest init [--yes] [--config FILE]

Writes a config file (mode 0600) and a vault with a welcome note, and prints the token once.
Never overwrites anything.

  --yes           don't ask
  --config FILE   config file (default: ./config.yaml)`,
  },
  attach: {
    summary: "talk to a session from a terminal or a script",
    text: `Usage: nest attach [URL] [--session NAME] [--token-file FILE]
       nest attach [URL] --print TEXT [--json] [--wait SECONDS]

The terminal client. It takes the token from --token-file, from NEST_TOKEN, or asks for it.

  URL                default: where ./config.yaml says that Nest listens, else http://127.0.0.1:8484
  --session NAME     default: default
  --token-file FILE  a file that holds the token
  --print TEXT       send one prompt and print the answer; "-" reads the prompt from standard input
  --json             with --print: every frame as a line of JSON
  --wait SECONDS     with --print: longest time without a connection (default: 30)

Exit codes of --print: 0 done, 1 failed, 2 wrong use, 3 stopped, 4 no connection, 5 refused.`,
  },
  audit: {
    summary: "attack a running Nest and its config, harmlessly, and report",
    text: `Usage: nest audit [URL] [--config FILE] [--only LIST] [--skip LIST] [--json|--sarif]
       nest audit --config FILE
       nest audit --explain ID

Carries out the attacks of the threat model (docs/threat-model.md) against URL and the config, and tells which of them
Nest withstands. Nothing is left behind, and nobody is disturbed. The token comes as with nest attach.

  URL                default: where ./config.yaml says that Nest listens, else http://127.0.0.1:8484
  --config FILE      the config; without a URL it alone is looked at (default: ./config.yaml, if it is there)
  --token-file FILE  a file that holds the owner's token; without a token some checks are skipped
  --connect ADDRESS  connect there instead of where the URL's name leads: 127.0.0.1 for a proxy on this machine
  --only LIST        ids, groups (config, live, surroundings) or what ids begin with, such as lockout
  --skip LIST        all but these
  --list             ids and titles of all checks
  --explain ID       the attack, what was published about it, the fix
  --json             the report as JSON
  --sarif            the report as SARIF 2.1.0
  --yes              don't ask before guesses that lock out the address that you come from

Exit codes: 0 all that ran held, 1 something fell, 2 something could not run.`,
  },
  token: {
    summary: "print a new token, hash one, or edit those of the config",
    text: `Usage: nest token [--hash]
       nest token add NAME --scopes LIST [--expires DATE] [--config FILE]
       nest token list|revoke NAME|rotate NAME [--config FILE]

Without a word behind it: prints a new token (256 bits).

  --hash          reads a token from standard input instead and prints sha256:… for config.yaml

  add NAME        writes a new token into the config and prints it once
  list            names, scopes and dates
  revoke NAME     takes a token out; its sockets are closed at once
  rotate NAME     gives a token (or "owner") a new secret and prints it once

  --scopes LIST   some of attach,prompt,vault:read,vault:write,webhook,admin
  --expires DATE  2027-01-31, or a time with its zone
  --config FILE   config file (default: ./config.yaml)

Comments in the config stay. A Nest that runs with it follows at once.`,
  },
  unlock: {
    summary: "end the lock-out of an address",
    text: `Usage: nest unlock ADDRESS [--config FILE]

Ends the lock-out of ADDRESS in the Nest that runs with this config, on this machine. No token is needed: who
may use the socket in sessions/ beside the config may.

  --config FILE   config file (default: ./config.yaml)`,
  },
  health: {
    summary: "ask a running Nest whether it is well",
    text: `Usage: nest health [URL]

Exits 0 if URL/health answers {"status":"ok"}, else 1.

  URL   default: where ./config.yaml says that Nest listens, else http://127.0.0.1:8484`,
  },
  completion: {
    summary: "print completions for bash, zsh or fish",
    text: `Usage: nest completion SHELL

Prints a script that completes commands and options; SHELL is bash, zsh or fish.

  bash:  nest completion bash >~/.local/share/bash-completion/completions/nest
  zsh:   nest completion zsh >"\${fpath[1]}/_nest"
  fish:  nest completion fish >~/.config/fish/completions/nest.fish`,
  },
} as const;

export const USAGE = `Nest: a self-hosted gateway for an always-on AI agent

Usage: nest [COMMAND] [OPTIONS]

${Object.entries(HELP)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}  ${summary}`)
  .join("\n")}

  nest COMMAND --help   help for a command
  nest --version        version; with --verbose: commit and parts, with --licences: their texts

Exit codes: 0 done, 1 failed, 2 wrong use or an unusable config (nothing was started).`;

export function commandHelp(name: keyof typeof HELP): string {
  return HELP[name].text;
}
