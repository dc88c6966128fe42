import { parseNotificationId, type NotificationId } from '../notification/ids';
import { MAX_JSON_DEPTH, nestsDeeperThan } from './raw-json';

/** What a WebSocket client may say. Channel names are as the client wrote them: which of them are valid is answered name by name. */
export type ClientMessage =
  | { readonly kind: 'subscribe'; readonly channels: readonly string[] }
  | { readonly kind: 'unsubscribe'; readonly channels: readonly string[] }
  | { readonly kind: 'ping' }
  | { readonly kind: 'ack'; readonly notification: NotificationId }
  | InvalidMessage;

interface InvalidMessage {
  readonly kind: 'invalid';
  /** For the client's developer; repeats nothing of what was sent. */
  readonly message: string;
}

/** What `JSON.stringify({ type: 'Ping' })` writes: by far the most frequent message. */
const USUAL_PING = '{"type":"Ping"}';

/** Reads one text message, O(length). Never throws. */
export function parseClientMessage(text: string): ClientMessage {
  if (text === USUAL_PING) return { kind: 'ping' };
  if (nestsDeeperThan(text)) return invalid(`JSON is nested deeper than ${MAX_JSON_DEPTH} levels`);
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return invalid('Message is not valid JSON');
  }
  if (!isObject(message)) return invalid('Message must be a JSON object');
  const { type, payload } = message;
  switch (type) {
    case 'Subscribe':
    case 'Unsubscribe': {
      const channels = isObject(payload) ? payload['channels'] : undefined;
      if (!isStringArray(channels)) return invalid(`${type} needs payload.channels, an array of strings`);
      return { kind: type === 'Subscribe' ? 'subscribe' : 'unsubscribe', channels };
    }
    case 'Ping':
      return payload === undefined || payload === null || isObject(payload)
        ? { kind: 'ping' }
        : invalid('Ping takes no payload');
    case 'Ack': {
      const raw = isObject(payload) ? payload['notification_id'] : undefined;
      const notification = typeof raw === 'string' ? parseNotificationId(raw) : undefined;
      return notification === undefined
        ? invalid('Ack needs payload.notification_id, a UUID')
        : { kind: 'ack', notification };
    }
    default:
      return invalid('type must be Subscribe, Unsubscribe, Ping or Ack, in this case');
  }
}

function invalid(message: string): InvalidMessage {
  return { kind: 'invalid', message };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}
