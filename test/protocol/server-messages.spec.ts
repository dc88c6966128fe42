import { connectionId, parseNotificationId, parseUserId, type NotificationId } from '../../src/notification/ids';
import type { Notification } from '../../src/notification/notification';
import { Frame } from '../../src/protocol/frame';
import { compact, trustedRawJson } from '../../src/protocol/raw-json';
import {
  ackedFrame,
  connectedFrame,
  errorFrame,
  HEARTBEAT,
  notificationFrame,
  PONG,
  shutdownFrame,
  subscribedFrame,
  unsubscribedFrame,
} from '../../src/protocol/server-message';
import { GoldenFolder } from './golden-folder';

const ID = parseNotificationId('0192f0c1-7a3b-7c4d-8e5f-0123456789ab')!;
const CONNECTION = connectionId('0192f0c1-7a3b-7c4d-8e5f-ba9876543210');
const USER = parseUserId('user-1')!;
/** As people and PHP's JSON_PRETTY_PRINT write it: line feeds, carriage returns, tabs, blank lines, and line ends inside strings as escapes. */
const PRETTY =
  '{\r\n\r\n    "text": "first\\nsecond\\r\\n\\nthird",\n\n\n\t"list": [\r 1,\n\n 2.50,\r\n 12345678901234567890\n],\n  "separators": "\u2028\u2029"\n}\n';

const NOTIFICATION: Notification = {
  id: ID,
  occurredAt: Date.UTC(2025, 11, 27, 10, 30),
  eventType: 'order.created',
  payload: trustedRawJson('{"order_id":"A-1","amount":99.90}'),
  priority: 'Normal',
  source: 'http-api',
};

function notification(changes: Partial<Notification>): Frame {
  return notificationFrame({ ...NOTIFICATION, ...changes }, { kind: 'broadcast' }, true);
}

/** Every message, as both transports may carry it. */
const MESSAGES: Record<string, Frame> = {
  notification: notification({}),
  'notification-with-all-metadata': notification({
    priority: 'Critical',
    ttlSeconds: 3600,
    audience: { type: 'Roles', value: ['admin', 'ops'] },
    correlationId: 'request-7',
    source: 'redis:notification:broadcast',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }),
  'notification-to-all': notification({ audience: { type: 'All' }, priority: 'Low', ttlSeconds: 0 }),
  'notification-to-users': notification({ audience: { type: 'Users', value: ['user-1'] } }),
  'notification-to-channels': notification({ audience: { type: 'Channels', value: ['orders'] } }),
  'notification-null': notification({ payload: trustedRawJson('null'), eventType: '' }),
  'notification-exact-numbers': notification({
    payload: trustedRawJson('[9007199254740993,-9223372036854775808,18446744073709551615,1.0,1E400,-0]'),
  }),
  'notification-pretty-printed': notification({ payload: compact(PRETTY, { start: 0, end: PRETTY.trimEnd().length }) }),
  'notification-unicode': notification({
    eventType: 'größe.änderung',
    payload: trustedRawJson('{"text":"通知 😀 \\ud83d\\ude00"}'),
  }),
  subscribed: subscribedFrame(['orders', 'größe', 'orders']),
  unsubscribed: unsubscribedFrame(['not a "name"']),
  pong: PONG,
  heartbeat: HEARTBEAT,
  acked: ackedFrame(ID),
  connected: connectedFrame(CONNECTION, USER, 3000),
  shutdown: shutdownFrame(1234),
  'error-invalid-message': errorFrame('INVALID_MESSAGE', 'Message is not valid JSON'),
  'error-unsupported-format': errorFrame('UNSUPPORTED_FORMAT', 'Binary messages are not supported'),
  'error-subscription': errorFrame(
    'SUBSCRIPTION_ERROR',
    'Invalid channel name: a b; Subscription limit exceeded (50/50)',
  ),
  'error-invalid-ack': errorFrame('INVALID_ACK', `Unknown or invalid notification: ${ID}`),
  'error-connection-limit': errorFrame('CONNECTION_LIMIT', 'User user-1 connection limit exceeded (5/5)'),
  'error-rate-limited': errorFrame('RATE_LIMITED', 'Too many messages, limit is 50 per second'),
  'error-token-expired': errorFrame('TOKEN_EXPIRED', 'Token expired'),
};

/** An independent reader of one SSE event (WHATWG HTML, 9.2.6): a payload that smuggles in a line end shows up as a second event or field. */
function fieldsOf(event: string): [string, string][] {
  expect(event.endsWith('\n\n')).toBe(true);
  return event
    .slice(0, -2)
    .split(/\r\n|\r|\n/)
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    });
}

describe('what a WebSocket client reads', () => {
  const golden = new GoldenFolder('websocket');

  it.each(Object.entries(MESSAGES))('%s', (name, frame) => {
    golden.expect(`${name}.json`, frame.json);
    expect(() => void JSON.parse(frame.json)).not.toThrow();
    expect(frame.webSocket.subarray(-Buffer.byteLength(frame.json)).toString()).toBe(frame.json);
  });

  it('and nothing else', () => {
    golden.expectNoOthers();
  });
});

describe('what an SSE client reads', () => {
  const golden = new GoldenFolder('sse');

  it.each(Object.entries(MESSAGES))('%s', (name, frame) => {
    golden.expect(`${name}.txt`, frame.sseEvent);
    const fields = fieldsOf(frame.sseEvent);
    expect(fields.map(([field]) => field)).toEqual(
      ['event', 'id', 'retry', 'data'].filter(
        (field) => (field !== 'id' || frame.id !== undefined) && (field !== 'retry' || /connected|shutdown/.test(name)),
      ),
    );
    expect(fields.at(-1)).toEqual(['data', frame.json]);
  });

  it('and nothing else', () => {
    golden.expectNoOthers();
  });
});

it('the client may tell a repeat by the id of the event and of its data', () => {
  const frame = notification({});
  const id = /^id: (.*)$/m.exec(frame.sseEvent)?.[1] as NotificationId;
  expect((JSON.parse(frame.json) as { id: string }).id).toBe(id);
});
