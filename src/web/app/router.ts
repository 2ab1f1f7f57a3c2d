import { computed, signal } from "@preact/signals";
import { addressOf, BASE } from "../base.ts";

/** What the address asks for. */
export type Route =
  | { readonly kind: "chat"; readonly session: string }
  /** The vault's tree, where it has no place of its own. */
  | { readonly kind: "vault" }
  | { readonly kind: "note"; readonly path: string }
  | { readonly kind: "search"; readonly query: string }
  | { readonly kind: "more" };

/** What stands beside the conversation where there is room for two. */
export type Side = Exclude<Route, { kind: "chat" | "vault" }>;

export const DEFAULT_SESSION = "default";

const start = parseRoute(location);

export const route = signal<Route>(start);
/** The session that was looked at last: the conversation stays while a note is read. */
export const session = signal(start.kind === "chat" ? start.session : DEFAULT_SESSION);
/** Stays open beside the conversation until it is closed. */
export const side = signal<Side | undefined>(sideOf(start));
export const openNote = computed(() => (side.value?.kind === "note" ? side.value.path : undefined));

addEventListener("popstate", () => show(parseRoute(location)));

/** Goes to a view, as a link would. */
export function navigate(to: Route, { replace = false } = {}): void {
  const href = hrefOf(to);
  if (replace || href === location.href) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  show(to);
}

/** Closes what stands beside the conversation. */
export function closeSide(): void {
  side.value = undefined;
  if (route.value.kind !== "chat") navigate({ kind: "chat", session: session.value });
}

/** The address of a view. */
export function hrefOf(to: Route): string {
  switch (to.kind) {
    case "chat":
      return addressOf(to.session === DEFAULT_SESSION ? "" : `s/${encodeURIComponent(to.session)}`)
        .href;
    case "vault":
      return addressOf("v").href;
    case "note":
      return addressOf(`v/${to.path.split("/").map(encodeURIComponent).join("/")}`).href;
    case "search": {
      const url = addressOf("search");
      if (to.query !== "") url.searchParams.set("q", to.query);
      return url.href;
    }
    case "more":
      return addressOf("more").href;
  }
}

/** A click that should be a plain navigation of ours, and not a new tab or a download. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

function show(to: Route): void {
  route.value = to;
  if (to.kind === "chat") session.value = to.session;
  const beside = sideOf(to);
  if (beside !== undefined) side.value = beside;
}

function sideOf(to: Route): Side | undefined {
  return to.kind === "chat" || to.kind === "vault" ? undefined : to;
}

function parseRoute({ pathname, search }: Location): Route {
  const [view = "", ...rest] = pathname.slice(BASE.pathname.length).split("/");
  const names = rest.map(decode);
  switch (view) {
    case "s":
      if (names.length === 1 && names[0]) return { kind: "chat", session: names[0] };
      break;
    case "v": {
      const path = names.filter((name) => name !== "").join("/");
      return path === "" ? { kind: "vault" } : { kind: "note", path };
    }
    case "search":
      return { kind: "search", query: new URLSearchParams(search).get("q") ?? "" };
    case "more":
      return { kind: "more" };
  }
  return { kind: "chat", session: DEFAULT_SESSION };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
