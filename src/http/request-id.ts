import { randomUUID } from 'node:crypto';

/** Long enough for every tracing scheme, free of what could break a log line or a header. */
const ACCEPTABLE = /^[\w.:/+=@-]{1,128}$/;

/** The caller's `X-Request-Id` when it is harmless, else a fresh UUID. */
export function requestIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && ACCEPTABLE.test(header) ? header : randomUUID();
}
