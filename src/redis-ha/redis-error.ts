import { StoreUnavailableError } from '../notification/store-unavailable';

/** Answers of a server that works, but cannot serve now: it starts, it is a replica, it is full, it does not let us in. */
const CANNOT_SERVE =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|BUSY|NOAUTH|WRONGPASS|NOPERM|UNKILLABLE) /;
/** What ioredis says when a connection is not there or ends while a command is under way. */
const NO_CONNECTION =
  /^(Connection is closed\.|Stream isn't writeable|Cluster isn't ready|Failed to refresh slots cache|None of startup nodes|Command aborted|Redis is already connecting|All sentinels are unreachable|Too many Cluster redirections)/;
const TIMED_OUT = 'Command timed out';

/** Whose fault a failed call is. */
export type Fault =
  /** Nobody answered: counts against the circuit. */
  | 'timeout'
  /** The connection was not there or broke; whoever keeps it has counted that once. */
  | 'connection'
  /** The server answered that it cannot. */
  | 'refusal'
  /** The server answered that it will not do this. */
  | 'input';

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return 'input';
  const { message } = error;
  if (message === TIMED_OUT) return 'timeout';
  if (CANNOT_SERVE.test(message)) return 'refusal';
  const hasSystemCode = 'code' in error && typeof error.code === 'string';
  return hasSystemCode || NO_CONNECTION.test(message) ? 'connection' : 'input';
}

/** Redis as a dependency that does not serve. */
export function redisUnavailable(message: string, cause?: unknown): StoreUnavailableError {
  return new StoreUnavailableError('redis', `Redis: ${message}`, withoutArguments(cause));
}

/** Its message and code: ioredis hangs the whole command on its errors, with payloads and with the password of AUTH. */
export function withoutArguments(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const clean = new Error(error.message);
  return 'code' in error ? Object.assign(clean, { code: error.code }) : clean;
}
