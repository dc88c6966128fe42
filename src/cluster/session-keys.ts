import type { TenantId, UserId } from '../notification/ids';
import { encodeKeyPart, SHARDS, shardKey, shardOf, userName } from '../redis-ha/redis-key';

/** Where a user's sessions are kept, and in which indexes their name stands. */
export interface UserPlace {
  readonly name: string;
  readonly shard: number;
  readonly sessions: string;
  readonly usersOfTenant: string;
  /** Connections of the tenant, per instance. */
  readonly connections: string;
}

/** Where the session directory keeps what in Redis. */
export class SessionKeys {
  readonly shards = Array.from({ length: SHARDS }, (_, shard) => shard);

  constructor(private readonly prefix: string) {}

  place(tenant: TenantId, user: UserId): UserPlace {
    const name = userName(tenant, user);
    return this.placeOf(shardOf(name), name);
  }

  /** Of a name that an index holds. */
  placeOf(shard: number, name: string): UserPlace {
    const tenant = name.slice(0, name.indexOf(':'));
    return {
      name,
      shard,
      sessions: shardKey(this.prefix, shard, 'user', name),
      usersOfTenant: shardKey(this.prefix, shard, 'users', tenant),
      connections: shardKey(this.prefix, shardOf(tenant), 'connections', tenant),
    };
  }

  /** The names of a shard's users: all, or those of one tenant. */
  users(shard: number, tenant?: TenantId): string {
    return shardKey(this.prefix, shard, 'users', tenant === undefined ? undefined : encodeKeyPart(tenant));
  }
}
