import { AGENT_ARGUMENT } from "../src/agent/shipped-pi.ts";

/**
 * Where the compiled executable begins: it is Nest, and pi when Nest starts it as that. Both are loaded only where they
 * are needed, so neither costs the other's start.
 */
if (process.argv[2] === AGENT_ARGUMENT) {
  process.argv.splice(2, 1);
  await import("./embedded-pi.ts");
} else {
  await import("../src/main.ts");
}
