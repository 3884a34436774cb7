/**
 * The time zone of every database's sessions, so that no result depends on that
 * of a machine, a role or a server.
 */
export const SESSION_TIME_ZONE = "UTC";

/** Whether there is a time zone of this name, such as Europe/London. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
