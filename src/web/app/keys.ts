import { signOut } from "../account/account.ts";
import { sessions } from "../sessions/sessions.ts";
import { addCommands, type Command, fits, palette } from "./commands.ts";
import { isHelpOpen } from "./help.tsx";
import { navigate } from "./router.ts";
import { addShortcut, noteShortcut } from "./shortcuts.ts";
import { theme } from "./theme.ts";

/** The keys and commands that belong to no part in particular. */
export function addOwnKeys(): void {
  addShortcut({
    keys: "Mod+K",
    title: "Commands",
    run: () => void (palette.value = "commands"),
  });
  addShortcut({ keys: "Mod+P", title: "Open a note", run: () => void (palette.value = "files") });
  addShortcut({
    keys: "Mod+Shift+F",
    title: "Search the vault",
    run: () => navigate({ kind: "search", query: "" }),
  });
  addShortcut({ keys: "?", title: "All keys", run: () => void (isHelpOpen.value = true) });
  noteShortcut({ keys: "Enter", title: "Send the prompt" });
  noteShortcut({ keys: "Shift+Enter", title: "New line in the prompt" });
  noteShortcut({ keys: "↑", title: "In an empty prompt: the last one again" });

  addCommands("commands", (query) =>
    COMMANDS.filter(({ title }) => fits(query, title)).concat(
      sessions.value
        .map(({ name }): Command => ({
          id: `session:${name}`,
          title: `Go to session ${name}`,
          run: () => navigate({ kind: "chat", session: name }),
        }))
        .filter(({ title }) => fits(query, title)),
    ),
  );
  // In a chunk of its own: the vault's names come with it.
  addCommands("files", async (query, signal) => {
    const { quickOpen } = await import("../vault/quick-open.ts");
    return quickOpen(query, signal);
  });
}

const COMMANDS: readonly Command[] = [
  {
    id: "open",
    title: "Open a note…",
    keys: "Mod+P",
    run: () => setTimeout(() => (palette.value = "files")),
  },
  {
    id: "search",
    title: "Search the vault",
    keys: "Mod+Shift+F",
    run: () => navigate({ kind: "search", query: "" }),
  },
  { id: "light", title: "Light appearance", run: () => (theme.value = "light") },
  { id: "dark", title: "Dark appearance", run: () => (theme.value = "dark") },
  { id: "system", title: "Appearance as the system", run: () => (theme.value = "system") },
  { id: "more", title: "Signed-in browsers and settings", run: () => navigate({ kind: "more" }) },
  { id: "keys", title: "All keys", keys: "?", run: () => (isHelpOpen.value = true) },
  { id: "sign-out", title: "Sign out", run: () => void signOut() },
];
