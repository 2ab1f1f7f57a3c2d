import { effect, type Signal, signal } from "@preact/signals";

/** A choice of no secrecy that is kept in this browser, where it allows that. */
export function preference(name: string, otherwise: string): Signal<string> {
  const key = `nest.${name}`;
  const value = signal(read(key) ?? otherwise);
  effect(() => {
    try {
      localStorage.setItem(key, value.value);
    } catch {
      // Storage is full or forbidden: the choice lasts as long as the page.
    }
  });
  return value;
}

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}
