/** Why Ara closes a connection: code (RFC 6455, 7.4.1) and text of the close frame. An SSE stream just ends. */
export interface CloseReason {
  /** undefined: a close frame without status, which the client sees as 1005. */
  readonly code: number | undefined;
  readonly text: string;
}

export const CLOSE = {
  connectionLimit: { code: undefined, text: '' },
  shutdown: { code: 1001, text: 'Server shutting down' },
  stale: { code: 1001, text: 'Connection timed out' },
  protocolError: { code: 1002, text: 'Protocol error' },
  invalidUtf8: { code: 1007, text: 'Invalid UTF-8' },
  tokenExpired: { code: 1008, text: 'Token expired' },
  tooBig: { code: 1009, text: 'Message too big' },
  slowConsumer: { code: 1013, text: 'Reader too slow' },
  overloaded: { code: 1013, text: 'Try again later' },
} as const satisfies Record<string, CloseReason>;
