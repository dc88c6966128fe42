import { connectionId, parseNotificationId, parseUserId } from '../notification/ids';
import type { Notification } from '../notification/notification';
import type { Target } from '../notification/target';
import { toRawJson, trustedRawJson } from './raw-json';
import {
  ackedFrame,
  connectedFrame,
  errorFrame,
  HEARTBEAT,
  notificationFrame,
  PONG,
  renderNotification,
  shutdownFrame,
  subscribedFrame,
  unsubscribedFrame,
} from './server-message';

const ID = parseNotificationId('0192f0c1-7a3b-7c4d-8e5f-0123456789ab')!;
const USER = parseUserId('u1')!;
const NOTIFICATION: Notification = {
  id: ID,
  occurredAt: Date.UTC(2025, 11, 27, 10, 30, 0, 7),
  eventType: 'order.created',
  payload: trustedRawJson('{"n":9007199254740993}'),
  priority: 'High',
  source: 'http-api',
};

describe('renderNotification', () => {
  it('leaves out what is not set', () => {
    expect(renderNotification(NOTIFICATION)).toBe(
      `{"type":"notification","id":"${ID}","occurred_at":"2025-12-27T10:30:00.007Z","event_type":"order.created",` +
        '"payload":{"n":9007199254740993},"metadata":{"source":"http-api","priority":"High"}}',
    );
  });

  it('writes a ttl of 0, and text that needs escapes', () => {
    const hostile = 'a"\\\n\u2028\ud800';
    const notification: Notification = {
      ...NOTIFICATION,
      eventType: hostile,
      source: hostile,
      ttlSeconds: 0,
      audience: { type: 'Roles', value: [hostile] },
      correlationId: hostile,
      traceparent: hostile,
    };
    const rendered = renderNotification(notification, true);
    expect(rendered).not.toMatch(/[\n\r]/);
    expect(JSON.parse(rendered)).toMatchObject({
      event_type: hostile,
      metadata: {
        source: hostile,
        ttl: 0,
        audience: { type: 'Roles', value: [hostile] },
        correlation_id: hostile,
        traceparent: hostile,
      },
    });
  });
});

describe('notificationFrame', () => {
  it.each<[Target, boolean]>([
    [{ kind: 'user', user: USER }, false],
    [{ kind: 'users', users: [USER] }, false],
    [{ kind: 'broadcast' }, true],
    [{ kind: 'channels', channels: [] }, true],
  ])('%j may be shed: %s', (target, mayBeShed) => {
    expect(notificationFrame(NOTIFICATION, target)).toMatchObject({
      event: 'notification',
      id: ID,
      rank: 1,
      mayBeShed,
    });
  });

  it('is rendered only when it has a recipient', () => {
    const unreadable = { ...NOTIFICATION, occurredAt: Number.NaN };
    const frame = notificationFrame(unreadable, { kind: 'broadcast' });
    expect(() => frame.json).toThrow(RangeError);
  });
});

it('every other message', () => {
  expect(PONG.json).toBe('{"type":"pong"}');
  expect(HEARTBEAT.json).toBe('{"type":"heartbeat"}');
  expect(subscribedFrame(['a', 'a']).json).toBe('{"type":"subscribed","payload":["a","a"]}');
  expect(unsubscribedFrame(['"']).json).toBe('{"type":"unsubscribed","payload":["\\""]}');
  expect(ackedFrame(ID).json).toBe(`{"type":"acked","notification_id":"${ID}"}`);
  expect(errorFrame('INVALID_ACK', 'm').json).toBe('{"type":"error","code":"INVALID_ACK","message":"m"}');
  expect(connectedFrame(connectionId('c'), USER, 3100).sseEvent).toBe(
    'event: connected\nretry: 3100\ndata: {"type":"connected","connection_id":"c","user_id":"u1"}\n\n',
  );
  expect(shutdownFrame(42).sseEvent).toBe(
    'event: message\nretry: 5042\ndata: {"type":"shutdown","reason":"Server shutting down","reconnect_after_seconds":5,"reconnect_jitter_ms":42}\n\n',
  );
  expect(toRawJson(null)).toBe('null');
});
