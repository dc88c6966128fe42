import { errorAnswer } from '../http/error-body';
import { AraError, type ErrorReason } from '../notification/ara-error';

/** When a caller meets which error. A reason without a line here does not compile. */
const MEANING: Readonly<Record<ErrorReason, string>> = {
  VALIDATION_ERROR: 'A value breaks a rule: an empty or too large batch, a too long list, an unknown template',
  INVALID_SHAPE: 'Valid JSON of another shape than asked for; `details.errors` names the fields',
  INVALID_ID: 'The template id breaks its rule',
  INVALID_TEMPLATE: "The template's name or event type breaks its rule",
  INVALID_JSON: 'The body is empty or no JSON',
  TENANT_REQUIRED: 'Tenants are on and `X-Tenant-ID` is missing',
  INVALID_TENANT: '`X-Tenant-ID` breaks its rule',
  UNAUTHORIZED: 'The API key is missing or wrong',
  TENANT_ACCESS_DENIED: "Another tenant's data, or another tenant than the API key's",
  NOT_FOUND: 'No such path',
  CHANNEL_NOT_FOUND: 'The channel has no subscriber',
  USER_NOT_CONNECTED: 'The user has no connection',
  TEMPLATE_NOT_FOUND: 'There is no such template',
  TENANT_NOT_FOUND: 'The tenant never had a connection',
  METHOD_NOT_ALLOWED: 'The path exists, but not with this verb; see `Allow`',
  TEMPLATE_EXISTS: 'There is a template with this id already',
  PAYLOAD_TOO_LARGE: "The body is longer than this path's limit",
  UNSUPPORTED_MEDIA_TYPE: 'The content type is not JSON, or the body is compressed',
  RATE_LIMITED: 'Too many requests; try again after `Retry-After` seconds',
  INTERNAL_ERROR: 'Unexpected; the log has the details under `X-Request-Id`',
  REDIS_ERROR: 'Redis, which this needs, does not answer',
  CONFIG_ERROR: 'The configuration does not allow it',
  QUEUE_UNAVAILABLE:
    'The store is away and not all addressed users are connected: nothing is promised, try again. ' +
    'After a time-out it may still arrive, with the id in `details.notification_id`',
  CLUSTER_ERROR: 'The other nodes cannot be asked',
  SHUTTING_DOWN: 'This node is going away, ask another',
};

export interface ErrorEntry {
  readonly status: number;
  /** `error.code` on the wire. */
  readonly code: string;
  readonly meaning: string;
}

/** Status and code as the service itself decides them. */
export function errorEntry(reason: ErrorReason): ErrorEntry {
  const { status, body } = errorAnswer(new AraError(reason, ''), false);
  return { status, code: body.error.code, meaning: MEANING[reason] };
}
