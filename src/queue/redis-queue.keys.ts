import { createHash } from 'node:crypto';
import type { TenantId } from '../notification/ids';
import type { Located } from '../redis-ha/redis-batch';
import { encodeKeyPart, shardKey, shardOf, userName } from '../redis-ha/redis-key';
import type { StreamKey } from './queue-store';

/** Where a stream lies. */
export interface StreamPlace extends Located {
  readonly stream: string;
  readonly index: string;
}

/** Where the queue keeps what in Redis; queue-entries.lua says what it is. */
export class RedisQueueKeys {
  constructor(private readonly prefix: string) {}

  /** `due` and `state`. */
  readonly ofShard = (shard: number): readonly [string, string] => [
    shardKey(this.prefix, shard, 'due'),
    shardKey(this.prefix, shard, 'state'),
  ];

  place({ tenant, user }: StreamKey): StreamPlace {
    const name = userName(tenant, user);
    return this.#placeOf(shardOf(name), name);
  }

  /** Of a stream that a shard's `due` holds. */
  placeOfStream(shard: number, stream: string): StreamPlace {
    return this.#placeOf(shard, stream.slice(shardKey(this.prefix, shard, 's', '').length));
  }

  /** A digest, since publishers choose these keys and may choose long ones. Lies wherever Redis Cluster puts it. */
  claim(tenant: TenantId, dedupeKey: string): string {
    const digest = createHash('sha256').update(dedupeKey).digest('base64url');
    return `${this.prefix}:claim:${encodeKeyPart(tenant)}:${digest}`;
  }

  #placeOf(shard: number, name: string): StreamPlace {
    return {
      shard,
      stream: shardKey(this.prefix, shard, 's', name),
      index: shardKey(this.prefix, shard, 'i', name),
    };
  }
}
