import { Redis } from 'ioredis';
import type { RedisClient } from './redis-client';

/** What Redis promises about what it was given. Of a cluster: what the weakest of its primaries promises. */
export interface RedisDurability {
  /** Writes go to a file before they are answered. */
  readonly appendOnly: boolean;
  /** When that file is forced to disk; unknown when Redis does not tell (ACL, managed services). */
  readonly fsync: 'always' | 'everysec' | 'no' | 'unknown';
  /** Keys may be thrown away when memory is full. */
  readonly evicts: boolean;
}

const FSYNC = ['unknown', 'no', 'everysec', 'always'] as const;

/** Asks INFO, and CONFIG where it is allowed. */
export async function readDurability(redis: RedisClient): Promise<RedisDurability> {
  const nodes = redis instanceof Redis ? [redis] : redis.nodes('master');
  const answers = await Promise.all(nodes.map(readNode));
  return {
    appendOnly: answers.length > 0 && answers.every(({ appendOnly }) => appendOnly),
    fsync: FSYNC.find((policy) => answers.some(({ fsync }) => fsync === policy)) ?? 'unknown',
    evicts: answers.some(({ evicts }) => evicts),
  };
}

async function readNode(redis: Redis): Promise<RedisDurability> {
  const [persistence, memory, config] = await Promise.all([
    redis.info('persistence'),
    redis.info('memory'),
    redis.config('GET', 'appendfsync').catch(() => []),
  ]);
  const [, fsync] = config as readonly unknown[];
  return {
    appendOnly: field(persistence, 'aof_enabled') === '1',
    fsync: FSYNC.find((policy) => policy === fsync) ?? 'unknown',
    evicts: (field(memory, 'maxmemory_policy') ?? 'noeviction') !== 'noeviction',
  };
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}
