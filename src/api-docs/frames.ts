import { z } from 'zod';
import type { SseEventName } from '../protocol/frame';
import type { ClientErrorCode } from '../protocol/server-message';
import { ChannelDto, PriorityDto, TtlDto, UserIdDto } from '../rest/dto/content.dto';
import { AudienceDto } from '../rest/dto/send.dto';

/** A message between Ara and a client, or a back end by Redis. */
export interface MessageDoc {
  readonly title: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly example: Readonly<Record<string, unknown>>;
}

const ID = '01936b2e-7c4d-7a3b-8e5f-0123456789ab';
const CHANNELS = ['orders', 'news'];

const channels = z
  .object({ channels: z.array(z.string()).meta({ description: 'Each is accepted or refused on its own' }) })
  .meta({ id: 'ChannelNames', description: '1 to 64 bytes of letters, digits, `-`, `_`, `.` each' });

/** What a WebSocket client may say, by its `type`. */
export const CLIENT_MESSAGES = {
  Subscribe: {
    title: 'Subscribe',
    summary: 'Answered by `subscribed` with the accepted names, then by an `error` with the others',
    schema: z.object({ type: z.literal('Subscribe'), payload: channels }),
    example: { type: 'Subscribe', payload: { channels: CHANNELS } },
  },
  Unsubscribe: {
    title: 'Unsubscribe',
    summary: 'Always confirmed by `unsubscribed`',
    schema: z.object({ type: z.literal('Unsubscribe'), payload: channels }),
    example: { type: 'Unsubscribe', payload: { channels: CHANNELS } },
  },
  Ping: {
    title: 'Ping',
    summary: 'Answered by `pong`',
    schema: z.object({ type: z.literal('Ping'), payload: z.record(z.string(), z.unknown()).nullish() }),
    example: { type: 'Ping' },
  },
  Ack: {
    title: 'Ack',
    summary: 'Acknowledges a notification for its user, once. No answer while acknowledgements are off',
    schema: z.object({ type: z.literal('Ack'), payload: z.object({ notification_id: z.guid() }) }),
    example: { type: 'Ack', payload: { notification_id: ID } },
  },
} satisfies Record<string, MessageDoc>;

const ERROR_MEANING: Readonly<Record<ClientErrorCode, string>> = {
  INVALID_MESSAGE: 'the message could not be understood',
  UNSUPPORTED_FORMAT: 'a binary message',
  SUBSCRIPTION_ERROR: 'channels were refused, the message says which and why',
  INVALID_ACK: 'the notification is unknown, acknowledged before, expired, or not for this user',
  CONNECTION_LIMIT: 'too many connections; the connection is closed',
  RATE_LIMITED: 'too many messages per second; this one was dropped',
  TOKEN_EXPIRED: 'the connection is closed',
};

const NotificationFrame = z
  .object({
    type: z.literal('notification'),
    id: z.guid().meta({ description: 'A notification that comes twice comes with the same id' }),
    occurred_at: z.iso.datetime(),
    event_type: z.string(),
    payload: z.unknown().meta({ description: 'As it was written by the sender' }),
    metadata: z.object({
      source: z.string().meta({ description: '`http-api`, or `redis:` and the name of the Pub/Sub channel' }),
      priority: PriorityDto,
      ttl: TtlDto.optional(),
      audience: AudienceDto.optional(),
      correlation_id: z.string().optional(),
      traceparent: z.string().optional().meta({ description: 'Only with TRACE_IN_FRAMES' }),
    }),
  })
  .meta({ id: 'NotificationFrame' });

const confirmed = (type: 'subscribed' | 'unsubscribed'): z.ZodType =>
  z.object({ type: z.literal(type), payload: z.array(z.string()).meta({ description: 'As the client wrote them' }) });

/** What Ara says to clients, by `type`. */
export const SERVER_FRAMES = {
  connected: {
    title: 'Connected',
    summary: 'First event of an SSE stream; on WebSocket only with WEBSOCKET_SEND_CONNECTED',
    schema: z
      .object({ type: z.literal('connected'), connection_id: z.guid(), user_id: z.string() })
      .meta({ id: 'ConnectedFrame' }),
    example: { type: 'connected', connection_id: ID, user_id: 'user-123' },
  },
  notification: {
    title: 'Notification',
    summary: 'Something has happened',
    schema: NotificationFrame,
    example: {
      type: 'notification',
      id: ID,
      occurred_at: '2025-12-27T10:30:00.000Z',
      event_type: 'order.created',
      payload: { order_id: 42 },
      metadata: { source: 'http-api', priority: 'Normal', ttl: 3600 },
    },
  },
  subscribed: {
    title: 'Subscribed',
    summary: 'These channels are heard from now on',
    schema: confirmed('subscribed').meta({ id: 'SubscribedFrame' }),
    example: { type: 'subscribed', payload: CHANNELS },
  },
  unsubscribed: {
    title: 'Unsubscribed',
    summary: 'These channels are not heard any more',
    schema: confirmed('unsubscribed').meta({ id: 'UnsubscribedFrame' }),
    example: { type: 'unsubscribed', payload: CHANNELS },
  },
  pong: {
    title: 'Pong',
    summary: 'Answers a Ping',
    schema: z.object({ type: z.literal('pong') }).meta({ id: 'PongFrame' }),
    example: { type: 'pong' },
  },
  heartbeat: {
    title: 'Heartbeat',
    summary: 'Every WEBSOCKET_HEARTBEAT_INTERVAL seconds; expects no answer',
    schema: z.object({ type: z.literal('heartbeat') }).meta({ id: 'HeartbeatFrame' }),
    example: { type: 'heartbeat' },
  },
  acked: {
    title: 'Acked',
    summary: 'The acknowledgement counts',
    schema: z.object({ type: z.literal('acked'), notification_id: z.guid() }).meta({ id: 'AckedFrame' }),
    example: { type: 'acked', notification_id: ID },
  },
  error: {
    title: 'Error',
    summary: Object.entries(ERROR_MEANING)
      .map(([code, meaning]) => `\`${code}\`: ${meaning}`)
      .join('; '),
    schema: z
      .object({
        type: z.literal('error'),
        code: z.enum(Object.keys(ERROR_MEANING)).meta({ description: 'To branch on' }),
        message: z.string().meta({ description: 'To read' }),
      })
      .meta({ id: 'ErrorFrame' }),
    example: { type: 'error', code: 'SUBSCRIPTION_ERROR', message: 'Invalid channel name: a b' },
  },
  shutdown: {
    title: 'Shutdown',
    summary: 'This node is going away: connect again after the given time and jitter',
    schema: z
      .object({
        type: z.literal('shutdown'),
        reason: z.string(),
        reconnect_after_seconds: z.int().min(0),
        reconnect_jitter_ms: z.int().min(0),
      })
      .meta({ id: 'ShutdownFrame' }),
    example: {
      type: 'shutdown',
      reason: 'Server shutting down',
      reconnect_after_seconds: 5,
      reconnect_jitter_ms: 1234,
    },
  },
} satisfies Record<string, MessageDoc>;

export interface SseEventDoc {
  readonly frame: keyof typeof SERVER_FRAMES;
  readonly summary: string;
  readonly hasId?: true;
  readonly hasRetry?: true;
}

/** What an SSE stream carries: the name of the event and the frame that its data holds. */
export const SSE_EVENTS: Readonly<Record<SseEventName, SseEventDoc>> = {
  connected: { frame: 'connected', summary: 'The first event', hasRetry: true },
  notification: { frame: 'notification', summary: 'Something has happened', hasId: true },
  heartbeat: { frame: 'heartbeat', summary: 'Every WEBSOCKET_HEARTBEAT_INTERVAL seconds' },
  message: { frame: 'shutdown', summary: 'Any other message: the node is going away', hasRetry: true },
  error: { frame: 'error', summary: 'Refused channels, or the token has expired' },
};

const idLike = z.guid().nullish();

const Event = z
  .object({
    event_type: z.string(),
    payload: z.unknown().meta({ description: 'Any JSON, carried as it was written' }),
    priority: PriorityDto.nullish().meta({ description: 'Default: Normal' }),
    ttl: TtlDto.nullish(),
    correlation_id: z.string().nullish(),
  })
  .meta({ id: 'TriggerEvent' });

const common = {
  event: Event,
  tenant_id: z.string().nullish().meta({ description: 'Read while tenants are on; absent: the default tenant' }),
  id: idLike.meta({ description: "The notification's id; a message with the same one is processed once" }),
  idempotency_key: z.string().nullish().meta({ description: 'The same for those who have no UUID' }),
  traceparent: z.unknown().optional().meta({ description: 'W3C trace context; a malformed one is ignored' }),
};

/** What a back end publishes: the body decides, the name of the Pub/Sub channel only becomes the source. */
export const TRIGGER: MessageDoc = {
  title: 'Trigger',
  summary: 'At most 65,536 bytes, nested at most 64 levels deep; what cannot be read is logged, counted and dropped',
  schema: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('user'), target: UserIdDto, ...common }),
      z.object({ type: z.literal('users'), target: z.union([UserIdDto, z.array(UserIdDto)]), ...common }),
      z.object({ type: z.literal('broadcast'), target: z.unknown().optional(), ...common }),
      z.object({ type: z.literal('channel'), target: ChannelDto, ...common }),
      z.object({ type: z.literal('channels'), target: z.union([ChannelDto, z.array(ChannelDto)]), ...common }),
    ])
    .meta({ id: 'Trigger' }),
  example: {
    type: 'user',
    target: 'user-123',
    event: { event_type: 'order.created', payload: { order_id: 42 }, priority: 'High' },
  },
};
