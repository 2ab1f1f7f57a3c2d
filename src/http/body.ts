import type { Clock } from "../clock.ts";
import type { RequestScope } from "./env.ts";
import { Refusal } from "./problem.ts";

export interface BodyLimits {
  /** Largest body, bytes. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

/** Time in which a body may begin to arrive, ms. */
const GRACE_MS = 20_000;
/** What must arrive on average after that, bytes a second: a bad mobile line does more, a slowloris less. */
const LEAST_BYTES_PER_SECOND = 8 * 1024;

/**
 * The request's body, as long as it keeps to its limits: 413 from Content-Length before anything is read, and in mid-way
 * when chunks sum up to more (GHSA-92vj, oven-sh/bun#27507); 415 for a compressed one, which could be a bomb
 * (CVE-2026-111497); 408 when it drips (Bun's idle timeout starts anew with each byte).
 *
 * @throws {Refusal} at once, or out of the stream. Whoever stops reading must cancel it
 */
export function bodyStream(
  scope: RequestScope,
  { maxBytes, clock }: BodyLimits,
): ReadableStream<Uint8Array> {
  const encoding = scope.header("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new Refusal("unsupported_encoding", "Expected a body without Content-Encoding");
  }
  const tooLarge = () =>
    new Refusal("body_too_large", `Expected a body of at most ${maxBytes} bytes`);
  if (Number(scope.header("content-length") ?? 0) > maxBytes) throw tooLarge();
  const { body } = scope.request;
  if (body === null) return new Blob([]).stream() as ReadableStream<Uint8Array>;

  const reader = body.getReader();
  const startMs = clock.monotonicMs();
  let received = 0;
  let cancelTimer = () => {};
  const end = (controller: ReadableStreamDefaultController, error: Error) => {
    cancelTimer();
    controller.error(error);
    void reader.cancel(error).catch(() => {});
  };
  const watch = (controller: ReadableStreamDefaultController) => {
    const dueMs = startMs + GRACE_MS + (received / LEAST_BYTES_PER_SECOND) * 1000;
    const leftMs = dueMs - clock.monotonicMs();
    if (leftMs > 0) cancelTimer = clock.after(leftMs, () => watch(controller));
    else end(controller, new Refusal("body_timeout", "The body arrived too slowly"));
  };
  return new ReadableStream<Uint8Array>(
    {
      start: watch,
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            cancelTimer();
            controller.close();
            return;
          }
          received += value.byteLength;
          if (received > maxBytes) end(controller, tooLarge());
          else controller.enqueue(value);
        } catch (error) {
          cancelTimer();
          controller.error(error);
        }
      },
      cancel(reason) {
        cancelTimer();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The whole body, within the limits of {@link bodyStream}. */
export async function readBytes(scope: RequestScope, limits: BodyLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodyStream(scope, limits)) chunks.push(chunk);
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** The media type without its parameters, lower case; empty if there is none. */
export function mediaType(scope: RequestScope): string {
  return (scope.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** `application/json`, and what RFC 6839 section 3.1 derives from it. */
export function isJsonType(type: string): boolean {
  return /^application\/(?:[a-z0-9.+-]+\+)?json$/.test(type);
}

/**
 * A JSON body. A type is asked for, so that no form of another site's page passes for one (GHSA-2234-fmw7-43wr).
 *
 * @throws {Refusal} 415, 400, and those of {@link bodyStream}
 */
export async function readJson(scope: RequestScope, limits: BodyLimits): Promise<unknown> {
  if (!isJsonType(mediaType(scope))) {
    throw new Refusal("unsupported_media_type", "Expected Content-Type: application/json");
  }
  return parseJson(await readBytes(scope, limits));
}

/** @throws {Refusal} for what is not UTF-8 (RFC 8259 section 8.1), not JSON, or nested without end */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal("bad_json", "Expected JSON in UTF-8");
  }
}
