import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { PostgresService } from '../postgres/postgres.service';
import { QueueService } from '../queue/queue.service';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { Workers } from '../workers/workers';
import { Outage } from './outage';
import { ServiceTotals } from './service-totals';
import {
  type AckStatus,
  type PostgresStatus,
  type QueueStatus,
  type ReadinessCheck,
  type RedisStatus,
  ServiceStatus,
} from './service-status';

/** How long something required may be away before requests are sent elsewhere. */
const OUTAGE_GRACE_MS = 5000;
const WATCH_EVERY_MS = 1000;

/** The state of this service, asked of those who know. */
@Injectable()
export class NodeStatus extends ServiceStatus implements OnApplicationBootstrap, OnModuleDestroy {
  #phase: 'starting' | 'serving' | 'draining' = 'starting';
  #queueSize = { messages: 0, users: 0 };
  #pendingInStore = 0;
  readonly #redisOutage: Outage;
  readonly #postgresOutage: Outage;
  #watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AraConfig,
    private readonly queueService: QueueService,
    private readonly ackService: AckService,
    private readonly redisHa: RedisHaService,
    private readonly postgresService: PostgresService,
    private readonly totals: ServiceTotals,
    private readonly workers: Workers,
    clock: Clock,
  ) {
    super();
    this.#redisOutage = new Outage(OUTAGE_GRACE_MS, clock);
    this.#postgresOutage = new Outage(OUTAGE_GRACE_MS, clock);
  }

  onApplicationBootstrap(): void {
    this.#phase = 'serving';
    this.watch();
    // Whoever probes seldom must not take two blinks for one outage.
    this.#watch = setInterval(() => {
      this.watch();
    }, WATCH_EVERY_MS).unref();
  }

  /** The first thing of a shutdown: nobody is sent here any more while connections drain. */
  onModuleDestroy(): void {
    this.#phase = 'draining';
    clearInterval(this.#watch);
    this.watch();
  }

  uptimeSeconds(): number {
    return this.workers.uptimeSeconds();
  }

  redis(): RedisStatus {
    const { circuitBreakerState, circuitBreakerFailures, ...health } = this.redisHa.health();
    return {
      ...health,
      required: this.uses('redis') || this.config.cluster.enabled,
      breakerState: circuitBreakerState,
      breakerFailures: circuitBreakerFailures,
    };
  }

  postgres(): PostgresStatus | undefined {
    return this.postgresService.health();
  }

  async queue(): Promise<QueueStatus> {
    // A store that is away leaves the figures as they were known last.
    this.#queueSize = await this.queueService.size().catch(() => this.#queueSize);
    return {
      enabled: this.config.queue.enabled,
      backend: this.config.queue.backend,
      durable: this.queueService.isDurable,
      totalMessages: this.#queueSize.messages,
      usersWithQueue: this.#queueSize.users,
    };
  }

  async acks(): Promise<AckStatus> {
    const [pendingInStore, { tracked, acked, expired, latencyMs, pendingInGroups }] = await Promise.all([
      this.ackService.pendingInStore().catch(() => this.#pendingInStore),
      this.totals.whole(),
    ]);
    this.#pendingInStore = pendingInStore;
    return {
      enabled: this.ackService.isEnabled,
      ...{ tracked, acked, expired },
      averageLatencyMs: acked === 0 ? 0 : Math.floor(latencyMs / acked),
      pending: pendingInStore + pendingInGroups,
    };
  }

  readiness(): readonly ReadinessCheck[] {
    const { count, areOthersReady } = this.workers;
    return [...this.ownReadiness(), ...(count > 1 ? [{ name: 'workers', isReady: areOthersReady }] : [])];
  }

  private watch(): void {
    this.workers.tellReady(this.ownReadiness().every(({ isReady }) => isReady));
  }

  private ownReadiness(): readonly ReadinessCheck[] {
    const redis = this.redis();
    return [
      { name: 'startup', isReady: this.#phase !== 'starting' },
      { name: 'draining', isReady: this.#phase !== 'draining' },
      ...(redis.required ? [{ name: 'redis', isReady: !this.#redisOutage.see(redis.connected) }] : []),
      ...(this.uses('postgres')
        ? [{ name: 'postgres', isReady: !this.#postgresOutage.see(this.postgres()?.connected ?? false) }]
        : []),
    ];
  }

  private uses(backend: StoreBackend): boolean {
    const { queue, ack, template } = this.config;
    return (
      (queue.enabled && queue.backend === backend) ||
      (ack.enabled && ack.backend === backend) ||
      template.backend === backend
    );
  }
}
