declare const self: ServiceWorkerGlobalScope;
/** Set by the bundler; another with every build. */
declare const BUILD: string;

/**
 * Keeps the workspace's own shell and files, so that it opens without a network and says so itself.
 *
 * Nothing else passes through it: no `/api`, no socket, nothing with a token. What it keeps anyone can read without
 * signing in.
 */
const CACHE = `nest-${BUILD}`;
const SCOPE = new URL("./", self.location.href);

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("nest-") && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== SCOPE.origin) return;
  const path = url.pathname.startsWith(SCOPE.pathname)
    ? url.pathname.slice(SCOPE.pathname.length)
    : undefined;
  if (path === undefined) return;
  if (/^assets\/[\w.-]+$/.test(path)) event.respondWith(asset(request));
  else if (request.mode === "navigate" && /^(?:$|s\/|v$|v\/|search$|more$)/.test(path))
    event.respondWith(page(request, path.split("/").length - 1));
});

/** A click on a notification goes to the window that is open, or opens one. */
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const session = String((event.notification.data as { session?: unknown } | null)?.session ?? "");
  const target = new URL(session === "" ? "./" : `s/${encodeURIComponent(session)}`, SCOPE).href;
  event.waitUntil(
    (async () => {
      const windows = await self.clients.matchAll({ type: "window" });
      const open = windows.find((client) => client.url.startsWith(SCOPE.href));
      if (open === undefined) await self.clients.openWindow(target);
      else await open.focus();
    })(),
  );
});

/** The shell and what it names; what is loaded when needed is kept when it was. */
async function keepShell(): Promise<void> {
  const cache = await caches.open(CACHE);
  const response = await fetch(SCOPE, { cache: "no-cache" });
  if (!response.ok) throw new Error("no shell");
  const names = [...(await response.clone().text()).matchAll(/"(?:\.\/)?(assets\/[\w.-]+)"/g)];
  await cache.addAll(names.map(([, name]) => new URL(name as string, SCOPE).href));
  await cache.put(SCOPE, response);
}

/** Named after its content: what is kept is right. */
async function asset(request: Request): Promise<Response> {
  const kept = await caches.match(request);
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(CACHE)).put(request, response.clone());
  return response;
}

/** From the server; the kept one, its addresses turned to this depth, if the server is away. */
async function page(request: Request, depth: number): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(SCOPE);
    if (kept === undefined) throw error;
    if (depth === 0) return kept;
    const text = (await kept.text()).replaceAll('="./', `="${"../".repeat(depth)}`);
    return new Response(text, { headers: kept.headers });
  }
}
