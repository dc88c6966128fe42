import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import type { TenantId } from '../notification/ids';
import { inShardGroups, type Located, ShardList } from '../redis-ha/redis-batch';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { ALL_SHARDS, encodeKeyPart, shardKey, shardOf, userName } from '../redis-ha/redis-key';
import { RedisScript } from '../redis-ha/redis-script';
import { type AckOutcome, type AckRef, AckStore, type AckTotals, type PendingAck, type Tracked } from './ack-store';

/** Records that a sweep removes in one call. */
const RECORDS_PER_SWEEP = 500;
const UNKNOWN = -1;
const LATE = -2;

const script = (name: string): RedisScript => RedisScript.fromFiles(__dirname, 'ack-records.lua', `ack-${name}.lua`);
const TRACK = script('track');
const ACKNOWLEDGE = script('acknowledge');
const SWEEP = script('sweep');
const TOTALS = script('totals');

interface Record extends Located {
  readonly number: number;
  readonly name: string;
}

/** Awaited acknowledgements in Redis (7.0 or later), shared by all nodes; one script call for up to 500 of them. */
@Injectable()
export class RedisAckStore extends AckStore {
  readonly backend = 'redis';
  readonly #prefix: string;

  constructor(
    private readonly redis: RedisHaService,
    config: AraConfig,
  ) {
    super();
    this.#prefix = config.ack.redisPrefix;
  }

  async trackMany(pending: readonly PendingAck[]): Promise<Tracked> {
    const counts = await this.#inGroups(pending, async (group) => {
      const shards = new ShardList(this.#keysOf);
      const args = group.flatMap(({ shard, name, number }) => {
        const { sentAt = 0, expiresAt = 0 } = pending[number] ?? {};
        return [shards.numberOf(shard), name, sentAt, expiresAt];
      });
      return (await this.redis.run('ack_track', (redis) => TRACK.run(redis, shards.keys, args))) as [number, number];
    });
    const sum = (of: 0 | 1): number => counts.reduce((total, count) => total + count[of], 0);
    return { fresh: sum(0), renewed: sum(1) };
  }

  async acknowledgeMany(refs: readonly AckRef[], now: number): Promise<AckOutcome[]> {
    const outcomes = refs.map((): AckOutcome => ({ kind: 'unknown' }));
    await this.#inGroups(refs, async (group) => {
      const shards = new ShardList(this.#keysOf);
      const args = group.flatMap(({ shard, name }) => [shards.numberOf(shard), name]);
      const answers = await this.redis.run('ack_acknowledge', (redis) =>
        ACKNOWLEDGE.run(redis, shards.keys, [now, ...args]),
      );
      group.forEach(({ number }, at) => (outcomes[number] = outcomeOf((answers as number[])[at] ?? UNKNOWN)));
    });
    return outcomes;
  }

  async sweep(now: number): Promise<number> {
    const counts = await this.#inAllShards(async (shards, keys) => {
      const perShard = Math.ceil(RECORDS_PER_SWEEP / shards);
      for (let removed = 0; ;) {
        const answer = await this.redis.run('ack_sweep', (redis) => SWEEP.run(redis, keys, [now, perShard]));
        const [count, hasMore] = answer as [number, number];
        removed += count;
        if (hasMore === 0) return removed;
      }
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** O(1), one round trip. */
  async totals(tenant?: TenantId): Promise<AckTotals> {
    const of = tenant === undefined ? '' : `${encodeKeyPart(tenant)}:`;
    const sums = await this.#inAllShards(async (_, keys) => {
      return (await this.redis.run('ack_totals', (redis) => TOTALS.run(redis, keys, [of]))) as number[];
    });
    const [tracked, acked, expired, totalLatencyMs] = [0, 1, 2, 3].map((n) =>
      sums.reduce((sum, values) => sum + (values[n] ?? 0), 0),
    ) as [number, number, number, number];
    return { tracked, acked, expired, pending: tracked - acked - expired, totalLatencyMs };
  }

  open(): Promise<void> {
    return this.redis.waitUntilReady();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  readonly #keysOf = (shard: number): readonly string[] =>
    ['sent', 'due', 'totals'].map((part) => shardKey(this.#prefix, shard, part));

  #inGroups<Answer>(refs: readonly AckRef[], call: (group: readonly Record[]) => Promise<Answer>): Promise<Answer[]> {
    const records = refs.map(({ tenant, user, notification }, number) => {
      const owner = userName(tenant, user);
      return { number, shard: shardOf(owner), name: `${owner}:${notification}` };
    });
    return inShardGroups(records, this.redis.isCluster, call);
  }

  #inAllShards<Answer>(call: (shards: number, keys: readonly string[]) => Promise<Answer>): Promise<Answer[]> {
    const shards = ALL_SHARDS.map((shard) => ({ shard }));
    return inShardGroups(shards, this.redis.isCluster, (group) =>
      call(
        group.length,
        group.flatMap(({ shard }) => this.#keysOf(shard)),
      ),
    );
  }
}

function outcomeOf(answer: number): AckOutcome {
  if (answer === UNKNOWN) return { kind: 'unknown' };
  return answer === LATE ? { kind: 'late' } : { kind: 'acked', latencyMs: answer };
}
