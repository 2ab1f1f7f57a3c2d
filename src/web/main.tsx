import { render } from "preact";
import { App } from "./app/app.tsx";
import { addOwnKeys } from "./app/keys.ts";
import { keepOffline } from "./app/offline.ts";
import { watchViewport } from "./app/viewport.ts";

addOwnKeys();
watchViewport();
render(<App />, document.getElementById("app") as HTMLElement);
addEventListener("load", keepOffline);
