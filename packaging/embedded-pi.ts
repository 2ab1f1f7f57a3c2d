/** Runs pi in this process: its own entry for executables made with Bun, which brings all providers along. */
import "../node_modules/@earendil-works/pi-coding-agent/dist/bun/cli.js";
