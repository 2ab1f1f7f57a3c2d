import { AGENT_ARGUMENT } from "../src/agent/shipped-pi.ts";

/**
 * Where the compiled executable begins: it is Nest, and pi when Nest starts it as that. Both are loaded only where they
 * are needed, so neither costs the other's start.
 */
if (process.argv[2] === AGENT_ARGUMENT) {
  process.argv.splice(2, 1);
  // Its own entry for executables made with Bun, which brings all providers along.
  await import("../node_modules/@earendil-works/pi-coding-agent/dist/bun/cli.js");
} else {
  await import("../src/main.ts");
}
