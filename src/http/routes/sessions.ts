import type { Conversation, Session } from "../../agent/session.ts";
import { type SessionInfo, SessionRefused, SessionUnavailable } from "../../agent/sessions.ts";
import type { NestContext } from "../env.ts";
import { json } from "../headers.ts";
import { problem, Refusal } from "../problem.ts";

/** The sessions, as far as they are used here. */
export interface SessionsApi {
  has(name: string): boolean;
  get(name: string): Session | undefined;
  list(): SessionInfo[];
  info(name: string): SessionInfo;
  create(name: string): boolean;
  end(name: string, graceMs: number): Promise<void>;
}

/** For an agent to end its tools, ms. */
const END_GRACE_MS = 5000;

/** `GET /api/sessions`. */
export function listSessions(sessions: SessionsApi) {
  return (c: NestContext): Response => json(c.env, { sessions: sessions.list() });
}

/** `PUT /api/sessions/{name}`: 201 with a new one, 200 with one that is there. The body is not read. */
export function putSession(sessions: SessionsApi) {
  return (c: NestContext): Response => {
    const name = nameIn(c);
    const isNew = refusing(() => sessions.create(name));
    return json(c.env, sessions.info(name), isNew ? 201 : 200);
  };
}

/** `DELETE /api/sessions/{name}`: 204 once its agent has ended. */
export function endSession(sessions: SessionsApi) {
  return async (c: NestContext): Promise<Response> => {
    const name = nameIn(c);
    if (!sessions.has(name)) return notFound(c);
    await sessions.end(name, END_GRACE_MS);
    return json(c.env, undefined, 204);
  };
}

/** `GET /api/sessions/{name}/messages`: the conversation so far. */
export function messages(sessions: SessionsApi) {
  return async (c: NestContext): Promise<Response> => {
    const session = refusing(() => sessions.get(nameIn(c)));
    if (session === undefined) return notFound(c);
    const { promise, resolve } =
      Promise.withResolvers<Parameters<Parameters<Session["conversation"]>[0]>[0]>();
    session.conversation(resolve);
    const told = await promise;
    return isConversation(told)
      ? json(c.env, told)
      : problem(c.env, "agent_unavailable", "The agent does not answer now");
  };
}

function isConversation(told: object): told is Conversation {
  return "messages" in told;
}

/** Decoded; what is no name is no session. */
function nameIn(c: NestContext): string {
  return c.req.param("name") ?? "";
}

function notFound(c: NestContext): Response {
  return problem(c.env, "session_not_found", "No session has this name");
}

function refusing<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SessionRefused) throw new Refusal(error.code, error.message);
    if (error instanceof SessionUnavailable)
      throw new Refusal("storage_unavailable", error.message);
    throw error;
  }
}
