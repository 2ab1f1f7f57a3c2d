/** One key, or two together, and what it does. */
export interface Shortcut {
  /** `Mod` is Command on a Mac and Control elsewhere: `Mod+K`, `Mod+Shift+F`, `?`. */
  readonly keys: string;
  readonly title: string;
  /** False = not now: the key does what it always does. */
  readonly run: (event: KeyboardEvent) => boolean | void;
}

/** Where keys are described that a part handles itself. */
export interface ShortcutNote {
  readonly keys: string;
  readonly title: string;
}

const table: Shortcut[] = [];
const notes: ShortcutNote[] = [];

export const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

export function addShortcut(shortcut: Shortcut): void {
  table.push(shortcut);
}

/** Lists keys in the help that are handled elsewhere. */
export function noteShortcut(note: ShortcutNote): void {
  notes.push(note);
}

export function allShortcuts(): readonly ShortcutNote[] {
  return [...table, ...notes];
}

/** `Mod+Shift+F` as it is written on this machine. */
export function shownKeys(keys: string): string[] {
  return keys
    .split("+")
    .map((key) => (key === "Mod" ? (isMac ? "⌘" : "Ctrl") : key === "Shift" ? "⇧" : key));
}

addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  const found = table.find(({ keys }) => matches(keys, event));
  if (found === undefined) return;
  // A lone letter belongs to the field it is typed into.
  if (!found.keys.includes("Mod") && found.keys !== "Escape" && isField(event.target)) return;
  if (found.run(event) !== false) event.preventDefault();
});

function matches(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split("+");
  const key = parts.at(-1) ?? "";
  const mod = isMac ? event.metaKey : event.ctrlKey;
  if (parts.includes("Mod") !== mod) return false;
  if ((isMac ? event.ctrlKey : event.metaKey) || event.altKey) return false;
  // `?` needs Shift on most keyboards.
  if (key.length > 1 || /[a-z]/i.test(key)) {
    if (parts.includes("Shift") !== event.shiftKey) return false;
  }
  return event.key.toLowerCase() === key.toLowerCase();
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
