import { parseIpAddress } from "../limit/ip-address.ts";
import { DEFAULT_CONFIG, readConfigFile } from "./config-file.ts";
import { startEnvironment } from "./environment.ts";

/** Where the config of the current folder says that Nest listens; the usual place if it says nothing. */
export function defaultUrl(): string {
  try {
    const { server } = readConfigFile(DEFAULT_CONFIG, startEnvironment()).config;
    const address = parseIpAddress(server.host);
    // "Every address" is none to connect to.
    const host = address?.value === 0n ? (address.family === 4 ? "127.0.0.1" : "::1") : server.host;
    return `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`;
  } catch {
    return "http://127.0.0.1:8484";
  }
}
