import * as v from "valibot";
import { readJson } from "../body.ts";
import type { NestContext } from "../env.ts";
import { json } from "../headers.ts";
import { Refusal } from "../problem.ts";
import { CONDITIONS, type FileRoutesOptions, refuseUnkept } from "./files.ts";

const moveSchema = v.object({
  from: v.string(),
  to: v.string(),
  overwrite: v.optional(v.boolean(), false),
});

/** Two paths of 4,000 bytes in JSON, each byte escaped. */
const MAX_BODY_BYTES = 64 * 1024;

/** `POST /api/move {from, to, overwrite?}`: also the way out of the trash. */
export function moveFile({ vault, clock, callerOf, auditOf }: FileRoutesOptions) {
  return async function move(c: NestContext): Promise<Response> {
    const scope = c.env;
    const audit = auditOf(scope);
    refuseUnkept(scope, ...CONDITIONS);
    const body = await readJson(scope, { maxBytes: MAX_BODY_BYTES, clock });
    const parsed = v.safeParse(moveSchema, body);
    if (!parsed.success) {
      throw new Refusal("bad_request", "Expected {from, to, overwrite?}: two paths and a boolean");
    }
    const { from, to, overwrite } = parsed.output;
    await vault.move(from, to, { caller: callerOf(scope), overwrite });
    audit("vault_move", { from, to });
    return json(scope, { from, to });
  };
}
