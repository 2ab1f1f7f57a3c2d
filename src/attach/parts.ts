import type { Session } from "../agent/session.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Clock } from "../clock.ts";
import type { LockOut } from "../limit/lock-out.ts";
import type { SlidingWindow } from "../limit/sliding-window.ts";
import type { Log } from "../log/log.ts";
import type { FanOut } from "./fan-out.ts";
import type { WaitingRoom } from "./waiting-room.ts";

/** What `/attach` works with. */
export interface AttachParts {
  readonly authenticator: Authenticator;
  readonly lockOut: LockOut;
  readonly sessions: { get(name: string): Session | undefined };
  /** Sends a session's events to its sockets. */
  readonly fanOutOf: (session: Session) => FanOut;
  readonly waitingRoom: WaitingRoom;
  /** Closing handshakes with peers that never authenticated: those beyond it are cut off. */
  readonly farewells: SlidingWindow;
  readonly clock: Clock;
  readonly log: Log;
  /** Version of Nest, told to clients. */
  readonly version: string;
}
