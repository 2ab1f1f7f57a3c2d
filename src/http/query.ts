import type { NestContext } from "./env.ts";
import { Refusal } from "./problem.ts";

/**
 * A whole number of the query string; bounds are its reader's.
 *
 * @throws {Refusal} `bad_request` if it is none
 */
export function wholeNumber(c: NestContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal("bad_request", `Expected "${name}" to be a whole number`);
  return Number(text);
}

/**
 * Something of the query string that is on or off; absent is off.
 *
 * @throws {Refusal} `bad_request` for anything but true and false: a slip must not delete for good
 */
export function flag(c: NestContext, name: string): boolean {
  const text = c.req.query(name);
  if (text === undefined || text === "false" || text === "0") return false;
  if (text === "true" || text === "1" || text === "") return true;
  throw new Refusal("bad_request", `Expected "${name}" to be true or false`);
}
