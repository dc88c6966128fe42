declare const brand: unique symbol;

/** A primitive that only a parser of this file can make, so that a user id cannot stand where a tenant id is meant. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type NotificationId = Brand<string, 'NotificationId'>;
export type ConnectionId = Brand<string, 'ConnectionId'>;
export type UserId = Brand<string, 'UserId'>;
export type TenantId = Brand<string, 'TenantId'>;
export type ChannelName = Brand<string, 'ChannelName'>;
export type NodeId = Brand<string, 'NodeId'>;

/** The tenant of everything that names none; on the wire its names carry no prefix. */
export const DEFAULT_TENANT = 'default' as TenantId;

/** Where the self-probe lives: a name that no token, header or message can carry. */
export const PROBE_TENANT = ':probe' as TenantId;

/** The id that a batch item carries when nothing was dispatched for it. */
export const NIL_NOTIFICATION_ID = '00000000-0000-0000-0000-000000000000' as NotificationId;

const MAX_USER_ID_BYTES = 255;
const MAX_NAME_BYTES = 64;
const NAME = /^[\p{L}\p{N}\p{Mn}\p{Mc}_.-]+$/u;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** At most 255 UTF-8 bytes, well-formed, no U+0000; the empty string is a user id. Anything else: undefined. */
export function parseUserId(raw: string): UserId | undefined {
  // Three bytes is the most that one UTF-16 unit takes, so short ids need no byte count.
  if (raw.length > MAX_USER_ID_BYTES / 3 && Buffer.byteLength(raw) > MAX_USER_ID_BYTES) return undefined;
  if (!raw.isWellFormed() || raw.includes('\0')) return undefined;
  return raw as UserId;
}

/** 1–64 UTF-8 bytes of Unicode letters, digits, `-`, `_`, `.`; never a colon. Anything else: undefined. */
export function parseTenantId(raw: string): TenantId | undefined {
  return isName(raw) ? (raw as TenantId) : undefined;
}

/** The rule for names that a client may subscribe to: 1–64 UTF-8 bytes of Unicode letters, digits, `-`, `_`, `.`. */
export function parseChannelName(raw: string): ChannelName | undefined {
  return isName(raw) ? (raw as ChannelName) : undefined;
}

/** A channel that a back end addresses: any text, because a name that nobody can subscribe to reaches nobody. */
export function addressedChannel(raw: string): ChannelName {
  return raw as ChannelName;
}

/** A hyphenated UUID of any version in any case, given back in lower case; anything else: undefined. */
export function parseNotificationId(raw: string): NotificationId | undefined {
  return UUID.test(raw) ? (raw.toLowerCase() as NotificationId) : undefined;
}

/** An id that this service minted: a UUID in lower case. */
export function mintedNotificationId(raw: string): NotificationId {
  return raw as NotificationId;
}

/** A connection id that this service or a fellow node minted. */
export function connectionId(raw: string): ConnectionId {
  return raw as ConnectionId;
}

/** A node's name, as configured or minted at start. */
export function nodeId(raw: string): NodeId {
  return raw as NodeId;
}

/** Mints ids; injected, so that tests can foresee them. */
export abstract class IdSource {
  /** A fresh time-ordered UUID (version 7, RFC 9562), strictly increasing within the process. */
  abstract notificationId(): NotificationId;
  abstract connectionId(): ConnectionId;
}

function isName(raw: string): boolean {
  return raw.length > 0 && raw.length <= MAX_NAME_BYTES && NAME.test(raw) && Buffer.byteLength(raw) <= MAX_NAME_BYTES;
}
