import type { Log, SecurityEvent } from "./log.ts";

/**
 * What anybody can bring about as often as they like, without a credential and without being locked out for it. Failed
 * authentications are not among them: the lock-out bounds those, and each must be told.
 */
const BY_ANYBODY: ReadonlySet<SecurityEvent> = new Set(["host_refused", "origin_refused"]);

/** Lines of each of these events in a minute, count. */
const MAX_LINES = 60;
const WINDOW_MS = 60_000;

interface Window {
  startMs: number;
  lines: number;
  /** Events without a line, since the last line. */
  suppressed: number;
}

/**
 * The log, in which a stranger can't push what others did out of the security log's ten files (CWE-779), nor fill the
 * disk: of each event that costs its sender nothing it says at most 60 in a minute, and in the next line how many it did
 * not (`suppressed`).
 *
 * @param monotonicMs - a clock that does not step
 */
export function floodGuarded(log: Log, monotonicMs: () => number): Log {
  const windows = new Map<SecurityEvent, Window>();
  return {
    ...log,
    security(event, fields) {
      if (!BY_ANYBODY.has(event)) {
        log.security(event, fields);
        return;
      }
      const nowMs = monotonicMs();
      const window = windows.get(event) ?? { startMs: nowMs, lines: 0, suppressed: 0 };
      windows.set(event, window);
      if (nowMs - window.startMs >= WINDOW_MS) {
        window.startMs = nowMs;
        window.lines = 0;
      }
      if (window.lines >= MAX_LINES) {
        window.suppressed++;
        return;
      }
      window.lines++;
      const { suppressed } = window;
      window.suppressed = 0;
      log.security(event, suppressed === 0 ? fields : { ...fields, suppressed });
    },
  };
}
