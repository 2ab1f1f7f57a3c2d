import type {
  AutocompleteItem,
  AutocompleteProvider,
  AutocompleteSuggestions,
} from "@earendil-works/pi-tui";
import type { NestApi } from "./nest-api.ts";
import { neutralizeLine } from "./neutralize.ts";
import { SLASH_COMMANDS } from "./slash-commands.ts";

/** Most suggestions at once, count. */
const MAX_ITEMS = 50;

/** Completes `/commands` at the start of a prompt, and `@paths` of the vault anywhere. */
export class Completion implements AutocompleteProvider {
  readonly triggerCharacters = ["@"];
  readonly #api: NestApi;
  /** Commands that pi's extensions bring. */
  agentCommands: readonly { readonly name: string; readonly description?: string }[] = [];

  constructor(api: NestApi) {
    this.#api = api;
  }

  async getSuggestions(
    lines: string[],
    cursorLine: number,
    cursorCol: number,
    { signal }: { signal: AbortSignal },
  ): Promise<AutocompleteSuggestions | null> {
    const before = (lines[cursorLine] ?? "").slice(0, cursorCol);
    const slash = cursorLine === 0 ? /^\/([a-z0-9:_-]*)$/i.exec(before) : null;
    if (slash !== null) return found(slash[0], this.#commands(slash[1] ?? ""));
    const path = /(?:^|[\s"'(])@(\S*)$/.exec(before)?.[1];
    if (path === undefined) return null;
    return found(`@${path}`, await this.#paths(path, signal));
  }

  applyCompletion(
    lines: string[],
    cursorLine: number,
    cursorCol: number,
    item: AutocompleteItem,
    prefix: string,
  ): { lines: string[]; cursorLine: number; cursorCol: number } {
    const line = lines[cursorLine] ?? "";
    const start = line.slice(0, cursorCol - prefix.length);
    const gap = item.value.endsWith("/") ? "" : " ";
    const next = [...lines];
    next[cursorLine] = `${start}${item.value}${gap}${line.slice(cursorCol)}`;
    return { lines: next, cursorLine, cursorCol: start.length + item.value.length + gap.length };
  }

  #commands(typed: string): AutocompleteItem[] {
    return [...SLASH_COMMANDS, ...this.agentCommands]
      .filter(({ name }) => name.startsWith(typed))
      .map(({ name, description = "" }) => ({
        value: `/${name}`,
        label: neutralizeLine(`/${name}`),
        description: neutralizeLine(description),
      }));
  }

  async #paths(typed: string, signal: AbortSignal): Promise<AutocompleteItem[]> {
    const slash = typed.lastIndexOf("/");
    const dir = typed.slice(0, Math.max(0, slash));
    const wanted = typed.slice(slash + 1).toLowerCase();
    try {
      const entries = await this.#api.files(dir, signal);
      return entries
        .filter(({ path }) =>
          path
            .slice(path.lastIndexOf("/") + 1)
            .toLowerCase()
            .startsWith(wanted),
        )
        .map(({ path, type }) => `${path}${type === "dir" ? "/" : ""}`)
        .map((path) => ({ value: `@${path}`, label: neutralizeLine(path) }));
    } catch {
      // No such folder, or a Nest without that route: nothing to offer.
      return [];
    }
  }
}

function found(prefix: string, items: AutocompleteItem[]): AutocompleteSuggestions | null {
  return items.length === 0 ? null : { prefix, items: items.slice(0, MAX_ITEMS) };
}
