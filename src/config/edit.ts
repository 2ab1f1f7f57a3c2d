import { type Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import type { Scope } from "../auth/principal.ts";

/** A token to be written into a config. */
export interface TokenEntry {
  readonly name: string;
  /** `sha256:HEX`. */
  readonly token: string;
  readonly scopes: readonly Scope[];
  /** As it is to stand there. */
  readonly expires?: string;
}

/** Why a text can't be changed so; the message may be shown. */
export class EditError extends Error {
  override readonly name = "EditError";
}

/**
 * Adds a token to `server.tokens`. Comments and everything else stay; what may change is indentation and the space
 * before comments.
 *
 * The text must be a good config, before and after: the caller checks.
 *
 * @throws {EditError} if the name is taken
 */
export function addToken(text: string, { name, token, scopes, expires }: TokenEntry): string {
  const document = parse(text);
  if (name === "owner" || findToken(document, name) !== undefined)
    throw new EditError(`there is a token "${name}" already`);
  const entry = document.createNode({
    name,
    token,
    scopes,
    ...(expires && { expires }),
  }) as YAMLMap;
  (entry.get("scopes") as YAMLSeq).flow = true;
  const tokens = document.getIn(["server", "tokens"]);
  if (isSeq(tokens)) {
    // `[]` becomes a list with a line for each.
    tokens.flow = false;
    tokens.add(entry);
  } else document.setIn(["server", "tokens"], document.createNode([entry]));
  return print(document);
}

/** @throws {EditError} if there is none of this name */
export function removeToken(text: string, name: string): string {
  const document = parse(text);
  const tokens = document.getIn(["server", "tokens"]) as YAMLSeq;
  tokens.items.splice(indexOf(document, name), 1);
  if (tokens.items.length === 0) tokens.flow = true;
  return print(document);
}

/**
 * Gives a token, `owner` too, another secret.
 *
 * @throws {EditError} if there is none of this name, or its secret is kept elsewhere
 */
export function replaceToken(text: string, name: string, token: string): string {
  const document = parse(text);
  const path =
    name === "owner" ? ["server", "token"] : ["server", "tokens", indexOf(document, name), "token"];
  const elsewhere = /^(env|file):(.*)$/s.exec(String(document.getIn(path)));
  if (elsewhere !== null) {
    const place =
      elsewhere[1] === "env" ? `the variable ${elsewhere[2]}` : `the file ${elsewhere[2]}`;
    throw new EditError(`the token "${name}" is kept in ${place}: change it there`);
  }
  // The scalar is changed and not exchanged, so its comment stays.
  document.setIn(path, token);
  return print(document);
}

function indexOf(document: Document, name: string): number {
  const found = findToken(document, name);
  if (found === undefined) throw new EditError(`there is no token "${name}"`);
  return found;
}

function findToken(document: Document, name: string): number | undefined {
  const tokens = document.getIn(["server", "tokens"]);
  if (!isSeq(tokens)) return undefined;
  const found = tokens.items.findIndex((item) => isMap(item) && item.get("name") === name);
  return found === -1 ? undefined : found;
}

function parse(text: string): Document {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new EditError("it is no good YAML");
  return document;
}

/** Long lines are left long: folded, a digest would be hard to find. */
function print(document: Document): string {
  return document.toString({ lineWidth: 0 });
}
