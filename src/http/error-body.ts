import { HttpException } from '@nestjs/common';
import { AraError, type ErrorReason } from '../notification/ara-error';
import { StoreUnavailableError } from '../notification/store-unavailable';

/** Every error body of the REST surface. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>>;
    readonly retry_after_seconds?: number;
  };
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
}

interface Rule {
  readonly status: number;
  /** Where it differs from the reason. */
  readonly code?: string;
  /** What production says in place of the message, which may speak of hosts, paths and libraries. */
  readonly masked?: string;
}

const RULES: Readonly<Record<ErrorReason, Rule>> = {
  VALIDATION_ERROR: { status: 400 },
  INVALID_SHAPE: { status: 422, code: 'VALIDATION_ERROR' },
  INVALID_ID: { status: 400 },
  INVALID_TEMPLATE: { status: 400 },
  INVALID_JSON: { status: 400 },
  TENANT_REQUIRED: { status: 400 },
  INVALID_TENANT: { status: 400 },
  UNAUTHORIZED: { status: 401 },
  TENANT_ACCESS_DENIED: { status: 403 },
  NOT_FOUND: { status: 404 },
  CHANNEL_NOT_FOUND: { status: 404 },
  USER_NOT_CONNECTED: { status: 404 },
  TEMPLATE_NOT_FOUND: { status: 404 },
  TENANT_NOT_FOUND: { status: 404 },
  METHOD_NOT_ALLOWED: { status: 405 },
  TEMPLATE_EXISTS: { status: 409 },
  PAYLOAD_TOO_LARGE: { status: 413 },
  UNSUPPORTED_MEDIA_TYPE: { status: 415 },
  RATE_LIMITED: { status: 429 },
  INTERNAL_ERROR: { status: 500, masked: 'Internal server error' },
  REDIS_ERROR: { status: 500, masked: 'Service temporarily unavailable' },
  CONFIG_ERROR: { status: 500, masked: 'Configuration error' },
  QUEUE_UNAVAILABLE: { status: 503, masked: 'Message queue error' },
  CLUSTER_ERROR: { status: 503, masked: 'Cluster communication error' },
  SHUTTING_DOWN: { status: 503 },
};

/** What a framework's exception means; a status without a line here is our own fault. */
const REASON_OF_STATUS: Readonly<Partial<Record<number, ErrorReason>>> = {
  400: 'VALIDATION_ERROR',
  401: 'UNAUTHORIZED',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  422: 'INVALID_SHAPE',
  429: 'RATE_LIMITED',
  503: 'SHUTTING_DOWN',
};

/** The one mapping from anything thrown to status and body; `production` masks what may reveal internals. Never throws. */
export function errorAnswer(thrown: unknown, production: boolean): ErrorAnswer {
  const error = asAraError(thrown);
  const rule = RULES[error.reason];
  const { details, retryAfterSeconds } = error;
  return {
    status: rule.status,
    body: {
      error: {
        code: rule.code ?? error.reason,
        message: production ? (rule.masked ?? error.message) : error.message,
        ...(details === undefined ? {} : { details }),
        ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }),
      },
    },
  };
}

function asAraError(thrown: unknown): AraError {
  if (thrown instanceof AraError) return thrown;
  if (thrown instanceof StoreUnavailableError) {
    return new AraError(thrown.dependency === 'redis' ? 'REDIS_ERROR' : 'INTERNAL_ERROR', thrown.message);
  }
  if (thrown instanceof HttpException) {
    return new AraError(REASON_OF_STATUS[thrown.getStatus()] ?? 'INTERNAL_ERROR', thrown.message);
  }
  return new AraError('INTERNAL_ERROR', thrown instanceof Error ? thrown.message : 'Internal server error');
}
