import type { Waiting, WaitingRoom } from "../attach/waiting-room.ts";
import { type BodyLimits, bodyStream } from "./body.ts";
import type { RequestScope } from "./env.ts";
import { Refusal } from "./problem.ts";

export interface HurriedLimits extends BodyLimits {
  /** From now until the last byte, ms. */
  readonly deadlineMs: number;
  /** Who sends slowly takes a place of its own address only, and the busiest address pays. */
  readonly room: WaitingRoom;
}

/**
 * Reads a small body whole, of a sender that may be anybody: as {@link bodyStream}, and with a deadline and a place in
 * a room that has only so many, so that strangers can't fill the memory or keep others out by being slow.
 *
 * The client address must have been asked for before the first `await`, and is here.
 *
 * @throws {Refusal} 413, 415, 408, or 503 where there is no place
 */
export async function readHurried(
  scope: RequestScope,
  { room, deadlineMs, ...limits }: HurriedLimits,
): Promise<Uint8Array> {
  const reader = bodyStream(scope, limits).getReader();
  let stopped: Refusal | undefined;
  const stop = (refusal: Refusal) => {
    stopped ??= refusal;
    // Ends a pending read.
    reader.cancel().catch(() => {});
  };
  const place: Waiting = { address: scope.client.key, evict: () => stop(tooMany()) };
  if (!room.enter(place)) {
    const refusal = tooMany();
    stop(refusal);
    throw refusal;
  }
  const cancelTimer = limits.clock.after(deadlineMs, () =>
    stop(new Refusal("body_timeout", `Expected the body within ${deadlineMs / 1000} s`)),
  );
  try {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (stopped !== undefined) throw stopped;
      if (done) return Buffer.concat(chunks);
      chunks.push(value);
    }
  } catch (error) {
    throw stopped ?? error;
  } finally {
    cancelTimer();
    room.leave(place);
  }
}

function tooMany(): Refusal {
  const headers = { "Retry-After": "5" };
  return new Refusal("too_many_waiting", "Too many requests are being read", headers);
}
