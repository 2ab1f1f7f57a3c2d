import { effect, signal } from "@preact/signals";
import { preference } from "./preference.ts";

export type Theme = "system" | "light" | "dark";

const kept = preference("theme", "system");

export const theme = signal<Theme>(
  kept.value === "light" || kept.value === "dark" ? kept.value : "system",
);

effect(() => {
  kept.value = theme.value;
  if (theme.value === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme.value);
});
