import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { Flusher } from '../connection/flusher';
import { SlowReaders } from '../connection/slow-readers';
import { DispatcherService } from '../dispatch/dispatcher.service';
import { Clock } from '../notification/clock';
import { IdSource, type NotificationId, parseUserId, PROBE_TENANT, type UserId } from '../notification/ids';
import { toRawJson } from '../protocol/raw-json';
import { Metrics } from '../telemetry/metrics';
import { ProbeSink } from './probe-sink';

const LATENCY_BUCKETS_SECONDS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];
/** What has not come back by then is lost. */
const LOST_AFTER_MS = 5000;
const EVENT_ID = /^id: (\S+)$/m;

/**
 * Sends this node a notification every CANARY_INTERVAL_SECONDS, through store, bus and flusher to a connection of its
 * own, and measures how long it takes. Its tenant is one that nobody can name, and lies outside all counts and limits.
 */
@Injectable()
export class ProbeService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(ProbeService.name);
  readonly #latency;
  readonly #lost;
  readonly #underWay = new Map<NotificationId, number>();
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AraConfig,
    private readonly dispatcher: DispatcherService,
    private readonly registry: ConnectionRegistry,
    private readonly flusher: Flusher,
    private readonly slowReaders: SlowReaders,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    metrics: Metrics,
  ) {
    this.#latency = metrics.histogram(
      'ara_canary_latency_seconds',
      'Time from dispatching the self-probe to its arrival at its own connection',
      LATENCY_BUCKETS_SECONDS,
    );
    this.#lost = metrics.counter('ara_canary_lost_total', 'Self-probes that did not arrive within five seconds');
  }

  onApplicationBootstrap(): void {
    const { canaryIntervalSeconds } = this.config.telemetry;
    const user = parseUserId(this.config.cluster.nodeId);
    if (canaryIntervalSeconds === 0 || user === undefined) return;
    this.#connection = this.connect(user);
    this.#timer = setInterval(() => void this.probe(user), canaryIntervalSeconds * 1000).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
    if (this.#connection !== undefined) this.registry.unregister(this.#connection);
  }

  private connect(user: UserId): Connection {
    const identity = {
      id: this.ids.connectionId(),
      tenant: PROBE_TENANT,
      user,
      roles: [],
      connectedAt: this.clock.now(),
      expiresAt: Number.POSITIVE_INFINITY,
      mayHear: () => false,
      hearsAllChannels: false,
      isProbe: true,
    };
    const { flusher, slowReaders } = this;
    const sink = new ProbeSink((text) => {
      this.arrived(text);
    });
    const connection = new Connection(identity, sink, { flusher, slowReaders, onShed: () => undefined });
    this.registry.register(connection);
    return connection;
  }

  /** Never rejects: a probe that cannot be dispatched is a lost one. */
  private async probe(user: UserId): Promise<void> {
    this.countLost();
    const id = this.ids.notificationId();
    this.#underWay.set(id, performance.now());
    try {
      await this.dispatcher.dispatch({
        tenant: PROBE_TENANT,
        target: { kind: 'user', user },
        notification: {
          id,
          occurredAt: this.clock.now(),
          eventType: 'ara.probe',
          payload: toRawJson(null),
          priority: 'Normal',
          source: 'probe',
          ttlSeconds: 60,
        },
      });
    } catch (error) {
      this.logger.debug({ msg: 'The self-probe failed', notification_id: id, err: error });
    }
  }

  private arrived(text: string): void {
    for (const [id, sentAt] of this.#underWay) {
      if (EVENT_ID.exec(text)?.[1] !== id) continue;
      this.#underWay.delete(id);
      this.#latency.observe((performance.now() - sentAt) / 1000);
    }
  }

  private countLost(): void {
    const limit = performance.now() - LOST_AFTER_MS;
    for (const [id, sentAt] of this.#underWay) {
      if (sentAt > limit) break;
      this.#underWay.delete(id);
      this.#lost.inc();
    }
  }
}
