import type { Log } from "../log/log.ts";

/** The log, and `count` told of every line's event before it is written. */
export function countedLog(log: Log, count: (event: string) => void): Log {
  const counted =
    <Event extends string, Fields>(write: (event: Event, fields: Fields) => void) =>
    (event: Event, fields: Fields): void => {
      count(event);
      write(event, fields);
    };
  return {
    audit: counted(log.audit),
    debug: counted(log.debug),
    info: counted(log.info),
    warn: counted(log.warn),
    error: counted(log.error),
    security: counted(log.security),
  };
}
