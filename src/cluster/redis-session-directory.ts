import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Coalescer } from '../coalescing/coalescer';
import { AraConfig } from '../config/ara-config';
import type { ConnectionId, NodeId, TenantId, UserId } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';
import type { RedisClient } from '../redis-ha/redis-client';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { RedisScript } from '../redis-ha/redis-script';
import { ClusterMetrics } from './cluster.metrics';
import type { Instance } from './instance';
import { Membership } from './membership';
import { type DirectoryCounts, type Session, SessionDirectory } from './session-directory';
import { SessionKeys, type UserPlace } from './session-keys';

/** Redis serves nobody else during a call. */
const SESSIONS_PER_CALL = 200;
const SESSIONS_PER_BATCH = 1_000;
/** A refresh that comes late twice costs nobody their place. */
const REFRESHES_PER_LIFE = 3;
const WRITE = RedisScript.fromFiles(__dirname, 'sessions-write.lua');
const FORGET = RedisScript.fromFiles(__dirname, 'sessions-forget.lua');

interface Change {
  readonly session: Session;
  readonly isThere: boolean;
}

/** A session on another living node. */
interface Found {
  readonly instance: Instance;
  readonly transport: string;
}

/**
 * Keeps every session of all nodes in Redis: a hash per user, whose entries carry their own end and the instance that
 * holds the connection. Entries of an instance that is not among the living mean nothing from that moment; one of the
 * others removes them. This node's are prolonged three times in their life, and written again after Redis, or the other
 * nodes, had lost sight of it.
 */
@Injectable()
export class RedisSessionDirectory extends SessionDirectory implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Cluster');
  readonly #keys: SessionKeys;
  readonly #ttlMs: number;
  readonly #sessions = new Map<ConnectionId, Session>();
  readonly #perTenant = new Map<TenantId, number>();
  readonly #changes: Coalescer<Change, true>;
  /** Removals that Redis did not hear of. */
  #lost: Change[] = [];
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(
    private readonly redis: RedisHaService,
    private readonly membership: Membership,
    private readonly config: AraConfig,
    private readonly metrics: ClusterMetrics,
  ) {
    super();
    const { sessionPrefix, sessionTtlSeconds } = config.cluster;
    const { timeoutMs } = config.store;
    this.#keys = new SessionKeys(sessionPrefix);
    this.#ttlMs = sessionTtlSeconds * 1000;
    this.#changes = new Coalescer((changes) => this.write(changes), {
      maxBatch: SESSIONS_PER_BATCH,
      timeoutMs,
      onTimeout: () => new StoreUnavailableError('redis', `The directory did not answer within ${timeoutMs} ms`),
    });
  }

  async onModuleInit(): Promise<void> {
    await this.membership.join();
    const { heartbeatSeconds } = this.config.webSocket;
    const everyMs = Math.min(heartbeatSeconds * 1000, this.#ttlMs / REFRESHES_PER_LIFE);
    this.#timer = setInterval(() => void this.refresh(), everyMs).unref();
    this.membership.onForgotten(() => void this.refresh());
    this.membership.onDeath((instance) => void this.forget(instance));
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    try {
      await this.#changes.idle();
      await this.write([...this.#sessions.values()].map((session) => ({ session, isThere: false })));
      await this.membership.leave();
    } catch {
      // The others find out by themselves.
    }
  }

  async add(session: Session): Promise<void> {
    this.#sessions.set(session.connection, session);
    this.count(session.tenant, 1);
    await this.#changes.submit({ session, isThere: true });
  }

  async remove(session: Session): Promise<void> {
    if (!this.#sessions.delete(session.connection)) return;
    this.count(session.tenant, -1);
    const change: Change = { session, isThere: false };
    try {
      await this.#changes.submit(change);
    } catch (error) {
      this.#lost.push(change);
      throw error;
    }
  }

  async countElsewhere(tenant: TenantId, user: UserId): Promise<DirectoryCounts> {
    const { connections } = this.#keys.place(tenant, user);
    const [[found], perInstance] = await Promise.all([
      this.find(tenant, [user]),
      this.redis.run('directory_count', (redis) => redis.hgetall(connections)),
    ]);
    const others = await this.membership.others(Object.keys(perInstance) as Instance[]);
    const counts = Object.entries(perInstance).filter(([instance]) => others.has(instance as Instance));
    return { user: found?.length ?? 0, tenant: counts.reduce((sum, [, count]) => sum + Number(count), 0) };
  }

  async presentElsewhere(
    tenant: TenantId,
    users: readonly UserId[],
    transport?: Session['transport'],
  ): Promise<ReadonlySet<UserId>> {
    const found = await this.find(tenant, users);
    return new Set(
      users.filter((_, n) => found[n]?.some((one) => transport === undefined || one.transport === transport)),
    );
  }

  async instancesElsewhere(tenant: TenantId, users: readonly UserId[]): Promise<ReadonlySet<Instance>> {
    return new Set((await this.find(tenant, users)).flat().map(({ instance }) => instance));
  }

  async countUsers(_here: number, tenant?: TenantId): Promise<number> {
    const { now } = this.membership;
    const counts = await this.redis.run('directory_users', (redis) =>
      Promise.all(this.#keys.shards.map((shard) => redis.zcount(this.#keys.users(shard, tenant), now, '+inf'))),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async otherNodes(): Promise<readonly NodeId[]> {
    return [...new Set((await this.membership.othersNow()).values())];
  }

  /** For each user, their sessions on other living nodes. */
  private async find(tenant: TenantId, users: readonly UserId[]): Promise<readonly (readonly Found[])[]> {
    const perUser = await this.redis.run('directory_find', (redis) =>
      Promise.all(users.map((user) => redis.hvals(this.#keys.place(tenant, user).sessions))),
    );
    const { now } = this.membership;
    const sessions = perUser.map((records) =>
      records.map(parseRecord).filter(({ ends, instance }) => ends > now && instance !== this.membership.instance),
    );
    const others = await this.membership.others(sessions.flat().map(({ instance }) => instance));
    return sessions.map((found) => found.filter(({ instance }) => others.has(instance)));
  }

  private count(tenant: TenantId, change: 1 | -1): void {
    const count = (this.#perTenant.get(tenant) ?? 0) + change;
    if (count === 0) this.#perTenant.delete(tenant);
    else this.#perTenant.set(tenant, count);
  }

  /** Prolongs all sessions, a batch at a time; what Redis had lost is there again. Never rejects. */
  private refresh(): Promise<void> {
    return (this.#refreshing ??= this.refreshOnce().finally(() => (this.#refreshing = undefined)));
  }

  private async refreshOnce(): Promise<void> {
    const lost = this.#lost;
    this.#lost = [];
    const connections = [...this.#sessions.keys()];
    try {
      await this.write(lost);
      lost.length = 0;
      for (let n = 0; n < connections.length; n += SESSIONS_PER_BATCH) {
        const present = connections.slice(n, n + SESSIONS_PER_BATCH).flatMap((id) => this.#sessions.get(id) ?? []);
        await this.write(present.map((session) => ({ session, isThere: true })));
        this.metrics.refreshed.inc(present.length);
      }
    } catch (error) {
      this.#lost.push(...lost);
      this.logger.debug(`Could not refresh sessions: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async write(changes: readonly Change[]): Promise<true[]> {
    const placed = changes.map((change) => ({
      change,
      place: this.#keys.place(change.session.tenant, change.session.user),
    }));
    const counts = new Map(placed.map(({ change, place }) => [place.connections, change.session.tenant]));
    await this.redis.run('directory_write', (redis) =>
      Promise.all([
        ...inCalls(placed, ({ place }) => place.shard).map(([shard, part]) => {
          const keys = part.flatMap(({ place }) => [place.sessions, place.usersOfTenant]);
          const args = part.flatMap(({ place, change }) => [
            place.name,
            change.session.connection,
            change.isThere ? this.recordOf(change.session) : '',
          ]);
          return WRITE.run(redis, [this.#keys.users(shard), ...keys], [this.#ttlMs, ...args]);
        }),
        ...[...counts].map(([key, tenant]) => this.writeCount(redis, key, this.#perTenant.get(tenant))),
      ]),
    );
    return changes.map(() => true);
  }

  private async writeCount(redis: RedisClient, key: string, count: number | undefined): Promise<void> {
    const { instance } = this.membership;
    await (count === undefined ? redis.hdel(key, instance) : redis.hset(key, instance, count));
    await redis.pexpire(key, this.#ttlMs);
  }

  private recordOf({ transport, connectedAt }: Session): string {
    return `${transport} ${connectedAt} ${this.membership.instance}`;
  }

  /** Nobody looks up most of what a dead instance left; the indexes would count it until its end. */
  private async forget(instance: Instance): Promise<void> {
    try {
      for (const shard of this.#keys.shards) {
        const index = this.#keys.users(shard);
        const names = await this.redis.run('directory_forget', (redis) => redis.zrange(index, '0', '-1'));
        const places: UserPlace[] = names.map((name) => this.#keys.placeOf(shard, name));
        for (const [, part] of inCalls(places, () => shard)) {
          const keys = part.flatMap((place) => [place.sessions, place.usersOfTenant]);
          const counts = new Set(part.map(({ connections }) => connections));
          await this.redis.run('directory_forget', (redis) =>
            Promise.all([
              FORGET.run(redis, [index, ...keys], [instance, ...part.map(({ name }) => name)]),
              ...[...counts].map((key) => redis.hdel(key, instance)),
            ]),
          );
        }
      }
    } catch (error) {
      this.logger.debug(`Could not clean up: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function parseRecord(record: string): Found & { readonly ends: number } {
  const [ends, transport = '', , instance = ''] = record.split(' ');
  return { ends: Number(ends), transport, instance: instance as Instance };
}

/** In parts that lie in one shard each and are no longer than a call may be, their order kept. */
function inCalls<T>(items: readonly T[], shardOf: (item: T) => number): (readonly [number, readonly T[]])[] {
  const calls: (readonly [number, T[]])[] = [];
  const open = new Map<number, T[]>();
  for (const item of items) {
    const shard = shardOf(item);
    let part = open.get(shard);
    if (part === undefined || part.length === SESSIONS_PER_CALL) {
      part = [];
      open.set(shard, part);
      calls.push([shard, part]);
    }
    part.push(item);
  }
  return calls;
}
