import { Injectable, Logger } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import type { NotificationId } from '../notification/ids';
import { DEFAULT_PRIORITY, parsePriority } from '../notification/priority';
import { groupedByShard, inShardGroups, type Located, ShardList } from '../redis-ha/redis-batch';
import type { RedisClient } from '../redis-ha/redis-client';
import type { RedisConnection } from '../redis-ha/redis-connection';
import { redisUnavailable } from '../redis-ha/redis-error';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { ALL_SHARDS } from '../redis-ha/redis-key';
import { RedisScript } from '../redis-ha/redis-script';
import {
  type Append,
  type AppendOutcome,
  DEDUPE_SECONDS,
  type EntryRef,
  IN_FLIGHT_SECONDS,
  type Position,
  type QueueSize,
  QueueStore,
  type StoredEntry,
  type StreamKey,
} from './queue-store';
import { OpenAppends } from './redis-open-appends';
import { RedisQueueKeys, type StreamPlace } from './redis-queue.keys';

/** Streams that a sweep looks at in one call. */
const STREAMS_PER_SWEEP = 500;
const DUPLICATE = -1;

const script = (name: string): RedisScript =>
  RedisScript.fromFiles(__dirname, 'queue-entries.lua', `queue-${name}.lua`);
const APPEND = script('append');
const READ = script('read');
const COMMIT = script('commit');
const DELIVER = script('deliver');
const DUE = script('due');
const SWEEP = script('sweep');
const SIZE = script('size');

interface Recipient extends Located {
  readonly place: StreamPlace;
  readonly isPresent: boolean;
}

/** An append, or the part of it that lies in one shard. */
interface Part extends Located {
  /** Of the append in the call. */
  readonly number: number;
  readonly append: Append;
  readonly recipients: readonly Recipient[];
}

/**
 * Keeps entries in Redis (7.0 or later): a Redis Stream per user, and one script per call.
 *
 * On one server a script does everything that belongs together in one step, also for many users. In a Redis Cluster a
 * script reaches one shard only: then an append for users of several shards is several steps, and a dedupe key is
 * claimed before them (OpenAppends says what happens when the claimant dies in between).
 *
 * Appending, committing and reading a page do not depend on how many entries a user has; at the cap, an append reads all
 * of them if the oldest is on its way to an open connection.
 */
@Injectable()
export class RedisQueueStore extends QueueStore {
  readonly backend = 'redis';
  private readonly logger = new Logger(RedisQueueStore.name);
  readonly #keys: RedisQueueKeys;
  readonly #openAppends: OpenAppends;
  /** Waiting for replicas would hold up all other commands of the connection. */
  readonly #appends: Pick<RedisConnection, 'run'>;
  #isDurable = false;

  constructor(
    private readonly redis: RedisHaService,
    private readonly config: AraConfig,
  ) {
    super();
    const { redisPrefix, redisWait } = config.queue;
    this.#keys = new RedisQueueKeys(redisPrefix);
    this.#appends = redisWait > 0 ? redis.dedicated('appends') : redis;
    this.#openAppends = new OpenAppends(redis, this.#keys, config.store.timeoutMs, (append) => this.#complete(append));
  }

  isDurable(): boolean {
    return this.#isDurable;
  }

  async append(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]> {
    if (this.redis.isCluster) return this.#appendInSteps(appends, cap, now);
    const parts = appends.map((append, number): Part => {
      const recipients = this.#recipientsOf(append);
      return { number, append, recipients, shard: 0 };
    });
    const dropped = await this.#appendParts(parts, cap, now, true);
    return dropped.map(outcomeOf);
  }

  async readAfter(
    stream: StreamKey,
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<readonly StoredEntry[]> {
    return (await this.#read([this.#keys.place(stream)], after, limit, now))[0] ?? [];
  }

  async readMany(
    streams: readonly StreamKey[],
    limit: number,
    now: number,
  ): Promise<readonly { readonly stream: StreamKey; readonly entries: readonly StoredEntry[] }[]> {
    const found = streams.map((stream) => ({ stream, entries: [] as readonly StoredEntry[] }));
    const places = streams.map((stream, number) => ({ number, ...this.#keys.place(stream) }));
    await inShardGroups(places, this.redis.isCluster, async (group) => {
      const read = await this.#read(group, undefined, limit, now);
      group.forEach(({ number }, at) => {
        const one = found[number];
        if (one !== undefined) one.entries = read[at] ?? [];
      });
    });
    return found.filter(({ entries }) => entries.length > 0);
  }

  commit(entries: readonly EntryRef[]): Promise<number> {
    return this.#change('queue_commit', COMMIT, entries, []);
  }

  recordDelivery(entries: readonly EntryRef[], maxDeliveries: number): Promise<number> {
    return this.#change('queue_deliver', DELIVER, entries, [maxDeliveries]);
  }

  /** Not one step: entries that come or go meanwhile may or may not be seen. */
  async sweep(now: number): Promise<number> {
    return sum(await this.#inAllShards((shards) => this.#sweepShards(shards, now)));
  }

  /** May count entries that have expired since the last sweep. O(1), one round trip. */
  async size(): Promise<QueueSize> {
    const sizes = await this.#inAllShards(async (shards) => {
      const keys = shards.flatMap(this.#keys.ofShard);
      return (await this.redis.run('queue_size', (redis) => SIZE.run(redis, keys, []))) as [number, number];
    });
    return { messages: sum(sizes.map(([messages]) => messages)), users: sum(sizes.map(([, users]) => users)) };
  }

  async open(): Promise<void> {
    await this.redis.waitUntilReady();
    const { appendOnly, evicts, fsync } = await this.redis.durability();
    this.#isDurable = appendOnly && !evicts;
    if (this.#isDurable) this.logger.log(`Redis keeps the queue in its append-only file (fsync ${fsync})`);
    else {
      const reason = evicts ? 'its maxmemory-policy may evict entries' : 'appendonly is off';
      this.logger.warn(`The queue does not survive a crash of Redis: ${reason}`);
    }
  }

  close(): Promise<void> {
    return this.#openAppends.close();
  }

  /** In a cluster: claims first, then a step per shard, and last the claims are told that their appends are complete. */
  async #appendInSteps(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]> {
    const isMine = await Promise.all(appends.map((append) => this.#openAppends.claim(append, now)));
    const mine = appends.filter((_, number) => isMine[number]);
    const outcomes: number[] = isMine.map((claimed) => (claimed ? 0 : DUPLICATE));
    const parts = appends.flatMap((append, number) => (isMine[number] === true ? this.#split(append, number) : []));
    const dropped = await this.#appendParts(parts, cap, now, false);
    parts.forEach(({ number }, at) => (outcomes[number] = (outcomes[number] ?? 0) + (dropped[at] ?? 0)));
    await Promise.all(mine.map((append) => this.#openAppends.finish(append)));
    return outcomes.map(outcomeOf);
  }

  /** What a claimant that is gone left undone. Users who have it already are not touched. */
  async #complete(append: Append): Promise<void> {
    await this.#appendParts(this.#split(append, 0), this.config.queue.maxSizePerUser, Date.now(), false);
  }

  #recipientsOf({ tenant, users, present }: Append): Recipient[] {
    return users.map((user, at) => {
      const place = this.#keys.place({ tenant, user });
      return { shard: place.shard, place, isPresent: present.has(at) };
    });
  }

  #split(append: Append, number: number): Part[] {
    return groupedByShard(this.#recipientsOf(append)).map((recipients) => {
      return { number, append, recipients, shard: recipients[0]?.shard ?? 0 };
    });
  }

  /** What each part dropped, in order; DUPLICATE for one whose dedupe key is not to be had. */
  async #appendParts(parts: readonly Part[], cap: number, now: number, isClaiming: boolean): Promise<number[]> {
    const dropped = new Map<Part, number>();
    await inShardGroups(
      parts,
      this.redis.isCluster,
      async (group) => {
        const counts = await this.#appendGroup(group, cap, now, isClaiming);
        group.forEach((part, at) => dropped.set(part, counts[at] ?? 0));
      },
      ({ recipients }) => recipients.length,
    );
    return parts.map((part) => dropped.get(part) ?? 0);
  }

  #appendGroup(parts: readonly Part[], cap: number, now: number, isClaiming: boolean): Promise<number[]> {
    const shards = new ShardList(this.#keys.ofShard);
    const claims: string[] = [];
    const streams: string[] = [];
    const args: string[] = [];
    for (const { append, recipients } of parts) {
      const { body, tenant, dedupeKey } = append;
      const claim = isClaiming && dedupeKey !== undefined ? [this.#keys.claim(tenant, dedupeKey)] : [];
      claims.push(...claim);
      let line = `${body.id} ${body.priority} ${body.expiresAt} ${claim.length}`;
      for (const { place, isPresent } of recipients) {
        streams.push(place.stream, place.index);
        line += ` ${2 * shards.numberOf(place.shard) + (isPresent ? 1 : 0)}`;
      }
      args.push(body.json, line);
    }
    const head = [now, cap, DEDUPE_SECONDS * 1000, IN_FLIGHT_SECONDS * 1000, shards.length, claims.length];
    return this.#appends.run('queue_append', async (redis) => {
      const counts = await APPEND.run(redis, [...shards.keys, ...claims, ...streams], [...head, ...args]);
      await this.#waitForReplicas(redis, shards.keys[0]);
      return counts as number[];
    });
  }

  /** WAIT counts the replicas that have what this connection wrote; a key of the shard leads it to the right server. */
  async #waitForReplicas(redis: RedisClient, key: string | undefined): Promise<void> {
    const { redisWait } = this.config.queue;
    if (redisWait === 0 || key === undefined) return;
    const patienceMs = Math.ceil(this.config.store.timeoutMs / 2);
    const answers = await redis.pipeline().exists(key).wait(redisWait, patienceMs).exec();
    const [error, replicas] = answers?.[1] ?? [];
    if (error) throw error;
    if (Number(replicas) < redisWait) {
      throw redisUnavailable(`${Number(replicas)} of ${redisWait} replicas have the entry after ${patienceMs} ms`);
    }
  }

  async #read(
    places: readonly StreamPlace[],
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<StoredEntry[][]> {
    const keys = places.flatMap(({ stream, index }) => [stream, index]);
    const rows = await this.redis.run('queue_read', (redis) => READ.run(redis, keys, [now, limit, after ?? '']));
    return (rows as (string | number)[][]).map(entriesOf);
  }

  async #change(
    operation: string,
    change: RedisScript,
    entries: readonly EntryRef[],
    head: readonly number[],
  ): Promise<number> {
    const located = entries.map((entry) => ({ id: entry.id, ...this.#keys.place(entry) }));
    const counts = await inShardGroups(located, this.redis.isCluster, (group) => {
      const shards = new ShardList(this.#keys.ofShard);
      const args = group.flatMap(({ shard, id }) => [shards.numberOf(shard), id]);
      const keys = [...shards.keys, ...group.flatMap(({ stream, index }) => [stream, index])];
      return this.redis.run(operation, (redis) => change.run(redis, keys, [shards.length, ...head, ...args]));
    });
    return sum(counts.map(Number));
  }

  async #sweepShards(shards: readonly number[], now: number): Promise<number> {
    const keys = shards.flatMap(this.#keys.ofShard);
    const perShard = Math.ceil(STREAMS_PER_SWEEP / shards.length);
    for (let told = 0; ;) {
      const due = await this.redis.run('queue_sweep', (redis) => DUE.run(redis, keys, [now, perShard]));
      const found = (due as string[][]).flatMap((streams, at) =>
        streams.map((stream) => ({ number: at + 1, ...this.#keys.placeOfStream(shards[at] ?? 0, stream) })),
      );
      const allKeys = [...keys, ...found.flatMap(({ stream, index }) => [stream, index])];
      const args = [shards.length, now, ...found.map(({ number }) => number)];
      told += Number(await this.redis.run('queue_sweep', (redis) => SWEEP.run(redis, allKeys, args)));
      if ((due as string[][]).every(({ length }) => length < perShard)) return told;
    }
  }

  #inAllShards<Answer>(call: (shards: readonly number[]) => Promise<Answer>): Promise<Answer[]> {
    return inShardGroups(
      ALL_SHARDS.map((shard) => ({ shard })),
      this.redis.isCluster,
      (group) => call(group.map(({ shard }) => shard)),
    );
  }
}

function outcomeOf(dropped: number): AppendOutcome {
  return dropped === DUPLICATE ? { kind: 'duplicate' } : { kind: 'stored', dropped };
}

function entriesOf(row: readonly (string | number)[]): StoredEntry[] {
  return Array.from({ length: row.length / 6 }, (_, n) => {
    const [position, id, priority, expiresAt, json, deliveries] = row.slice(6 * n, 6 * n + 6);
    return {
      position: position as Position,
      id: id as NotificationId,
      priority: parsePriority(priority) ?? DEFAULT_PRIORITY,
      expiresAt: Number(expiresAt),
      json: String(json),
      deliveries: Number(deliveries),
    };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
