import {
  addressedChannel,
  parseNotificationId,
  parseUserId,
  type NotificationId,
  type UserId,
} from '../notification/ids';
import { DEFAULT_PRIORITY, parsePriority, type Priority } from '../notification/priority';
import type { Target } from '../notification/target';
import { compact, MAX_JSON_DEPTH, members, nestsDeeperThan, type Member, type RawJson } from './raw-json';
import { parseTraceparent } from './traceparent';

/** What a back end asks for by Redis. */
export interface Trigger {
  readonly target: Target;
  readonly eventType: string;
  readonly payload: RawJson;
  readonly priority: Priority;
  readonly ttlSeconds?: number;
  readonly correlationId?: string;
  /** As it was written: only where tenants are on does it mean something, and only there may a malformed one matter. */
  readonly tenantId?: string;
  /** The id that the notification shall have. */
  readonly id?: NotificationId;
  /** Names the message once for those who have no UUID. Never empty. */
  readonly idempotencyKey?: string;
  /** W3C trace context of the publisher; a malformed one is left out, because tracing must not cost a notification. */
  readonly traceparent?: string;
}

export type TriggerResult =
  | { readonly kind: 'ok'; readonly trigger: Trigger }
  /** `reason` is for the log and repeats nothing of the message. */
  | { readonly kind: 'invalid'; readonly reason: string };

export const MAX_TRIGGER_BYTES = 65_536;

const MAX_TTL_SECONDS = 0xffff_ffff;

/** Reads one message of the Redis door, O(length). Unknown fields are ignored. Never throws. */
export function parseTrigger(text: string): TriggerResult {
  try {
    return { kind: 'ok', trigger: readTrigger(text) };
  } catch (error) {
    return { kind: 'invalid', reason: error instanceof Refusal ? error.message : 'not valid JSON' };
  }
}

class Refusal extends Error {}

function readTrigger(text: string): Trigger {
  if (Buffer.byteLength(text) > MAX_TRIGGER_BYTES) throw new Refusal(`larger than ${MAX_TRIGGER_BYTES} bytes`);
  if (nestsDeeperThan(text)) throw new Refusal(`nested deeper than ${MAX_JSON_DEPTH} levels`);
  const message = objectOf(JSON.parse(text), 'message');
  const event = objectOf(message['event'], 'event');
  const spans = spansOf(text, 0, 'message');
  const payload = spansOf(text, spans.get('event')?.start ?? 0, 'event').get('payload');
  if (payload === undefined) throw new Refusal('event.payload is missing');
  const eventType = event['event_type'];
  if (typeof eventType !== 'string') throw new Refusal('event.event_type must be a string');

  const ttlSeconds = ttlOf(event['ttl']);
  const correlationId = optionalString(event['correlation_id'], 'event.correlation_id');
  const tenantId = optionalString(message['tenant_id'], 'tenant_id');
  const id = idOf(message['id']);
  const idempotencyKey = optionalString(message['idempotency_key'], 'idempotency_key');
  const traceparent = traceparentOf(message['traceparent']);
  return {
    target: targetOf(message['type'], message['target']),
    eventType,
    payload: compact(text, payload),
    priority: priorityOf(event['priority']),
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(correlationId !== undefined && { correlationId }),
    ...(tenantId !== undefined && { tenantId }),
    ...(id !== undefined && { id }),
    // Publishers write an empty string for "none"; as a key it would make all their messages one.
    ...(idempotencyKey !== undefined && idempotencyKey !== '' && { idempotencyKey }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** Where the members of an object stand. A repeated key would let two readers of one message see two messages. */
function spansOf(text: string, at: number, what: string): ReadonlyMap<string, Member> {
  const list = members(text, at);
  const byKey = new Map(list.map((member) => [member.key, member]));
  if (byKey.size < list.length) throw new Refusal(`${what} repeats a key`);
  return byKey;
}

function targetOf(type: unknown, target: unknown): Target {
  switch (type) {
    case 'user':
      return { kind: 'user', user: userOf(string(target, type)) };
    case 'users':
      return { kind: 'users', users: unique(strings(target, type).map(userOf)) };
    case 'broadcast':
      return { kind: 'broadcast' };
    case 'channel':
      return { kind: 'channel', channel: addressedChannel(string(target, type)) };
    case 'channels':
      return { kind: 'channels', channels: unique(strings(target, type).map(addressedChannel)) };
    default:
      throw new Refusal('type must be user, users, broadcast, channel or channels');
  }
}

function userOf(raw: string): UserId {
  const user = parseUserId(raw);
  if (user === undefined) throw new Refusal('user id has more than 255 bytes or a forbidden character');
  return user;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function string(target: unknown, type: string): string {
  if (typeof target !== 'string') throw new Refusal(`target of type ${type} must be a string`);
  return target;
}

function strings(target: unknown, type: string): string[] {
  const list: unknown[] = Array.isArray(target) ? target : [target];
  return list.map((element) => {
    if (typeof element !== 'string')
      throw new Refusal(`target of type ${type} must be a string or an array of strings`);
    return element;
  });
}

function priorityOf(raw: unknown): Priority {
  if (raw === undefined || raw === null) return DEFAULT_PRIORITY;
  const priority = parsePriority(raw);
  if (priority === undefined) throw new Refusal('event.priority must be Low, Normal, High or Critical');
  return priority;
}

function ttlOf(raw: unknown): number | undefined {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== 'number' || !Number.isInteger(raw) || raw < 0 || raw > MAX_TTL_SECONDS) {
    throw new Refusal(`event.ttl must be an integer from 0 to ${MAX_TTL_SECONDS}`);
  }
  return raw;
}

function idOf(raw: unknown): NotificationId | undefined {
  const text = optionalString(raw, 'id');
  if (text === undefined) return undefined;
  const id = parseNotificationId(text);
  if (id === undefined) throw new Refusal('id must be a UUID');
  return id;
}

function traceparentOf(raw: unknown): string | undefined {
  return typeof raw === 'string' && parseTraceparent(raw) !== undefined ? raw : undefined;
}

function optionalString(raw: unknown, name: string): string | undefined {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== 'string') throw new Refusal(`${name} must be a string`);
  return raw;
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(`${what} must be an object`);
  return value as Readonly<Record<string, unknown>>;
}
