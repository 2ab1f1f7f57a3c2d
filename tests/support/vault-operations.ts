import { BEARER } from "./gateway.ts";
import { type HostileAnswer, hostileRequest } from "./hostile-http.ts";
import { bytesOf } from "./naive-files.ts";

/** All that can be asked about one path over HTTP. */
export const OPERATIONS = [
  "GET",
  "HEAD",
  "PUT",
  "PUT folder",
  "DELETE",
  "DELETE for good",
  "move from",
  "move to",
  "move over",
  "list",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The path as JSON text: what is no UTF-8 goes in as it is, and is no JSON then. */
export function jsonOf(path: string, json?: string): Buffer {
  if (json !== undefined) return Buffer.from(json);
  const bytes = bytesOf(path);
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return Buffer.from(JSON.stringify(text));
  return Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]);
}

/** The path as a parameter of the query, each byte escaped. */
function queryOf(json: Buffer): string {
  const text = json.toString("latin1");
  if (text.includes("\\ud")) return "%ed%a0%80";
  const bytes = Buffer.from(json.toString()).equals(json)
    ? Buffer.from(JSON.parse(json.toString()) as string)
    : json.subarray(1, -1);
  return bytes.toHex().replaceAll(/../g, "%$&");
}

/**
 * @param path - as it stands in the request's target
 * @param json - as it stands in a JSON body
 */
export function sendOperation(
  port: number,
  operation: Operation,
  path: string,
  json: Buffer,
): Promise<HostileAnswer> {
  const ask = (method: string, target: string, body: string | Buffer = "", type?: string) =>
    hostileRequest(port, {
      method,
      target: `/api/${target}`,
      headers: { ...BEARER, ...(type !== undefined && { "Content-Type": type }) },
      body,
    });
  const move = (...parts: (string | Buffer)[]) =>
    ask(
      "POST",
      "move",
      Buffer.concat(parts.map((part) => Buffer.from(part as string))),
      "application/json",
    );
  switch (operation) {
    case "GET":
    case "HEAD":
      return ask(operation, `files/${path}`);
    case "PUT":
      return ask("PUT", `files/${path}`, "planted");
    case "PUT folder":
      return ask("PUT", `files/${path}/`);
    case "DELETE":
      return ask("DELETE", `files/${path}`);
    case "DELETE for good": {
      const mark = path.includes("?") ? "&" : "?";
      return ask("DELETE", `files/${path}${mark}permanent=true&recursive=true`);
    }
    case "move from":
      return move('{"from":', json, ',"to":"moved"}');
    case "move to":
      return move('{"from":"sub/inner.md","to":', json, "}");
    case "move over":
      return move('{"from":"sub/inner.md","overwrite":true,"to":', json, "}");
    case "list":
      return ask("GET", `files?hidden=true&depth=9&dir=${queryOf(json)}`);
  }
}
