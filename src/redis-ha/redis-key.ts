import type { TenantId, UserId } from '../notification/ids';

/**
 * Places that users are spread over. All keys of one place carry the same hash tag, hence lie on one node of a Redis
 * Cluster, where one script can change them together; a batch for many users becomes at most this many scripts there.
 * Another number would look for stored entries in other places: it is part of the layout.
 */
export const SHARDS = 64;

const PLAIN = /^[\w.-]*$/;

/** A part of a key that can neither hold the separator nor a brace; different parts stay different. */
export function encodeKeyPart(part: string): string {
  return PLAIN.test(part) ? part : encodeURIComponent(part);
}

/** Names a user of a tenant within a prefix; no two pairs share a name. */
export function userName(tenant: TenantId, user: UserId): string {
  return `${encodeKeyPart(tenant)}:${encodeKeyPart(user)}`;
}

/** The place of a name: the same in every process, and spread evenly (FNV-1a). */
export function shardOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

/** A key within a place: `prefix:{7}:part:name`. */
export function shardKey(prefix: string, shard: number, part: string, name?: string): string {
  return `${prefix}:{${shard}}:${part}${name === undefined ? '' : `:${name}`}`;
}

export const ALL_SHARDS: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);
