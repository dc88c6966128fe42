import type { Delivery } from '../notification/delivery';
import type { Eventual } from '../notification/eventual';
import type { NotificationId, TenantId } from '../notification/ids';
import type { Priority } from '../notification/priority';
import type { Audience, Target } from '../notification/target';
import type { RawJson } from '../protocol/raw-json';

const SOURCE = 'http-api';

/** What happened, whether said directly or by a template. */
export interface Content {
  readonly eventType: string;
  readonly payload: RawJson;
  readonly priority: Priority;
  readonly ttlSeconds?: number | undefined;
}

/** What a request or a batch item asks for. A template is looked up when its turn has come. */
export interface Asked<T extends Target = Target> {
  readonly target: T;
  readonly content: Content | (() => Eventual<Content>);
  readonly correlationId: string | null | undefined;
}

export interface Dispatchable {
  readonly tenant: TenantId;
  readonly target: Target;
  readonly content: Content;
  readonly id: NotificationId;
  /** Milliseconds since the epoch. */
  readonly occurredAt: number;
  readonly correlationId: string | null | undefined;
  /** W3C trace context of the request. */
  readonly traceparent: string | undefined;
}

/** The envelope of a REST request. A broadcast's audience narrows the target and is echoed to clients. */
export function toDelivery(request: Dispatchable): Delivery {
  const { tenant, target, content, id, occurredAt, correlationId, traceparent } = request;
  return {
    tenant,
    target,
    notification: {
      id,
      occurredAt,
      eventType: content.eventType,
      payload: content.payload,
      priority: content.priority,
      source: SOURCE,
      ttlSeconds: content.ttlSeconds,
      correlationId: correlationId ?? undefined,
      audience: audienceOf(target),
      traceparent,
    },
  };
}

function audienceOf(target: Target): Audience | undefined {
  return target.kind === 'broadcast' ? target.audience : undefined;
}
