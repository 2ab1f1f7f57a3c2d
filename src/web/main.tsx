import { render } from "preact";
import { App } from "./app/app.tsx";
import { addOwnKeys } from "./app/keys.ts";
import { keepOffline } from "./app/offline.ts";
import { watchViewport } from "./app/viewport.ts";

// Relative to where the page was opened; its address will change.
for (const link of document.head.querySelectorAll("link")) link.setAttribute("href", link.href);
addOwnKeys();
watchViewport();
render(<App />, document.getElementById("app") as HTMLElement);
addEventListener("load", keepOffline);
