import manifest from "../../package.json" with { type: "json" };

/** Version of Nest. */
export const VERSION: string = manifest.version;
