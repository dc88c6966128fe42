import type { ConnectionId, NotificationId, UserId } from '../notification/ids';
import type { Notification } from '../notification/notification';
import type { Target } from '../notification/target';
import { Frame } from './frame';
import { quoted } from './raw-json';
import { timestamp } from './timestamp';

/** `code` of an `error` message. Clients branch on it; the text beside it is for people. */
export type ClientErrorCode =
  | 'INVALID_MESSAGE'
  | 'UNSUPPORTED_FORMAT'
  | 'SUBSCRIPTION_ERROR'
  | 'INVALID_ACK'
  | 'CONNECTION_LIMIT'
  | 'RATE_LIMITED'
  | 'TOKEN_EXPIRED';

const RECONNECT_AFTER_SECONDS = 5;

/** The frame of a notification; encoded when the first connection needs it. `withTrace` tells clients its trace context. */
export function notificationFrame(notification: Notification, target: Target, withTrace = false): Frame {
  return new Frame(() => renderNotification(notification, withTrace), {
    event: 'notification',
    id: notification.id,
    priority: notification.priority,
    mayBeShed: target.kind !== 'user' && target.kind !== 'users',
  });
}

/** The JSON of a notification frame: the payload's text is spliced in as it came. */
export function renderNotification(notification: Notification, withTrace = false): string {
  const { id, occurredAt, eventType, payload, priority, source, ttlSeconds, audience, correlationId, traceparent } =
    notification;
  let metadata = `{"source":${quoted(source)},"priority":"${priority}"`;
  if (ttlSeconds !== undefined) metadata += `,"ttl":${ttlSeconds}`;
  if (audience !== undefined) metadata += `,"audience":${JSON.stringify(audience)}`;
  if (correlationId !== undefined) metadata += `,"correlation_id":${quoted(correlationId)}`;
  if (withTrace && traceparent !== undefined) metadata += `,"traceparent":${JSON.stringify(traceparent)}`;
  return (
    `{"type":"notification","id":"${id}","occurred_at":"${timestamp(occurredAt)}",` +
    `"event_type":${quoted(eventType)},"payload":${payload},"metadata":${metadata}}}`
  );
}

export const PONG = new Frame('{"type":"pong"}', { event: 'message' });
export const HEARTBEAT = new Frame('{"type":"heartbeat"}', { event: 'heartbeat' });

/** Names as the client wrote them, repeated ones repeated. */
export function subscribedFrame(names: readonly string[]): Frame {
  return new Frame(JSON.stringify({ type: 'subscribed', payload: names }), { event: 'message' });
}

export function unsubscribedFrame(names: readonly string[]): Frame {
  return new Frame(JSON.stringify({ type: 'unsubscribed', payload: names }), { event: 'message' });
}

export function ackedFrame(id: NotificationId): Frame {
  return new Frame(`{"type":"acked","notification_id":"${id}"}`, { event: 'message' });
}

export function errorFrame(code: ClientErrorCode, message: string): Frame {
  return new Frame(JSON.stringify({ type: 'error', code, message }), { event: 'error' });
}

/** First event of an SSE stream; on WebSocket only with WEBSOCKET_SEND_CONNECTED. */
export function connectedFrame(connection: ConnectionId, user: UserId, retryMs: number): Frame {
  return new Frame(JSON.stringify({ type: 'connected', connection_id: connection, user_id: user }), {
    event: 'connected',
    retryMs,
  });
}

/** `jitterMs` is drawn per client, so that a herd comes back spread out. */
export function shutdownFrame(jitterMs: number): Frame {
  return new Frame(
    JSON.stringify({
      type: 'shutdown',
      reason: 'Server shutting down',
      reconnect_after_seconds: RECONNECT_AFTER_SECONDS,
      reconnect_jitter_ms: jitterMs,
    }),
    { event: 'message', retryMs: RECONNECT_AFTER_SECONDS * 1000 + jitterMs },
  );
}
