import type { RawJson } from '../protocol/raw-json';
import type { NotificationId } from './ids';
import type { Priority } from './priority';
import type { Audience } from './target';

/** What a client is told. Immutable; the payload is JSON text, never parsed on its way (docs/ARCHITECTURE.md, "payload"). */
export interface Notification {
  readonly id: NotificationId;
  /** Milliseconds since the epoch. */
  readonly occurredAt: number;
  readonly eventType: string;
  readonly payload: RawJson;
  readonly priority: Priority;
  /** Where it came in: `http-api`, or `redis:<pubsub channel>`. */
  readonly source: string;
  readonly ttlSeconds?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly audience?: Audience | undefined;
  /** W3C trace context; frames carry it when TRACE_IN_FRAMES asks for it. */
  readonly traceparent?: string | undefined;
}

/** The moment from which it must not be delivered any more; Infinity without a ttl. */
export function expiresAt(notification: Notification): number {
  return notification.ttlSeconds === undefined
    ? Number.POSITIVE_INFINITY
    : notification.occurredAt + notification.ttlSeconds * 1000;
}

/** A ttl of 0 has expired at birth. */
export function hasExpired(notification: Notification, now: number): boolean {
  return now >= expiresAt(notification);
}
