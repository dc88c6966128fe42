/** Why a request could not be served. The code on the wire and the HTTP status follow from it in http/error-body. */
export type ErrorReason =
  | 'VALIDATION_ERROR'
  | 'INVALID_SHAPE'
  | 'INVALID_ID'
  | 'INVALID_TEMPLATE'
  | 'INVALID_JSON'
  | 'TENANT_REQUIRED'
  | 'INVALID_TENANT'
  | 'UNAUTHORIZED'
  | 'TENANT_ACCESS_DENIED'
  | 'NOT_FOUND'
  | 'CHANNEL_NOT_FOUND'
  | 'USER_NOT_CONNECTED'
  | 'TEMPLATE_NOT_FOUND'
  | 'TENANT_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'TEMPLATE_EXISTS'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'RATE_LIMITED'
  | 'INTERNAL_ERROR'
  | 'REDIS_ERROR'
  | 'CONFIG_ERROR'
  | 'QUEUE_UNAVAILABLE'
  | 'CLUSTER_ERROR'
  | 'SHUTTING_DOWN';

export interface ErrorExtras {
  /** Facts for the caller: the field, the rule, the way out. Sent as `error.details`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A failure with a meaning for the caller. The message is what the client reads, unless production masks it. */
export class AraError extends Error {
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly reason: ErrorReason,
    message: string,
    extras: ErrorExtras = {},
  ) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = 'AraError';
    this.details = extras.details;
    this.retryAfterSeconds = extras.retryAfterSeconds;
  }
}
