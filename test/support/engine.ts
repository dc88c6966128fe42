import 'reflect-metadata';
import { INJECTABLE_WATERMARK, PARAMTYPES_METADATA } from '@nestjs/common/constants';
import { AckService } from '../../src/ack/ack.service';
import { AckStore } from '../../src/ack/ack-store';
import { MemoryAckStore } from '../../src/ack/memory-ack.store';
import { ClusterBus, LocalClusterBus } from '../../src/cluster/cluster-bus';
import { LocalOnceClaims } from '../../src/cluster/local-once-claims';
import { OnceClaims } from '../../src/cluster/once-claims';
import { LocalSessionDirectory, SessionDirectory } from '../../src/cluster/session-directory';
import { AraConfig } from '../../src/config/ara-config';
import { loadConfig } from '../../src/config/load-config';
import { Connection, type ConnectionIdentity, type ConnectionMeans } from '../../src/connection/connection';
import { ConnectionRegistry } from '../../src/connection/connection-registry';
import { Flusher } from '../../src/connection/flusher';
import { SlowReaders } from '../../src/connection/slow-readers';
import { AcknowledgementService } from '../../src/dispatch/acknowledgement.service';
import { DispatchStatistics } from '../../src/dispatch/dispatch-statistics';
import { DispatcherService } from '../../src/dispatch/dispatcher.service';
import { IntakeService } from '../../src/dispatch/intake.service';
import { LocalDelivery } from '../../src/dispatch/local-delivery';
import { ReplayService } from '../../src/dispatch/replay.service';
import { SettlementService } from '../../src/dispatch/settlement.service';
import { Clock } from '../../src/notification/clock';
import type { Delivery } from '../../src/notification/delivery';
import {
  type ChannelName,
  connectionId,
  DEFAULT_TENANT,
  type NotificationId,
  parseChannelName,
  parseNotificationId,
  parseTenantId,
  parseUserId,
  type TenantId,
  type UserId,
} from '../../src/notification/ids';
import type { Notification } from '../../src/notification/notification';
import type { Target } from '../../src/notification/target';
import { toRawJson } from '../../src/protocol/raw-json';
import { MemoryQueueStore } from '../../src/queue/memory-queue.store';
import { QueueMetrics } from '../../src/queue/queue.metrics';
import { QueueService } from '../../src/queue/queue.service';
import { QueueStore } from '../../src/queue/queue-store';
import { Metrics } from '../../src/telemetry/metrics';
import { NotificationTraces } from '../../src/telemetry/notification-traces';
import { NullTracer, Tracer } from '../../src/telemetry/tracer';
import { LoneWorker, Workers } from '../../src/workers/workers';
import { FakeClock } from './fake-clock';
import { FakeSink } from './fake-sink';

/** The configuration that these variables make, all else at its default. */
export function configOf(env: Readonly<Record<string, string>> = {}): AraConfig {
  const cwd = '/nonexistent';
  return loadConfig({ env: { JWT_SECRET: 'a-secret-of-the-tests-1234567890', ...env }, cwd }).config;
}

export const user = (name: string): UserId => known(parseUserId(name));
export const tenant = (name: string): TenantId => known(parseTenantId(name));
export const channel = (name: string): ChannelName => known(parseChannelName(name));

/** The id of the n-th notification of a test. */
export function id(n: number): NotificationId {
  return known(parseNotificationId(`00000000-0000-7000-8000-${String(n).padStart(12, '0')}`));
}

let connections = 0;

export function identityOf(traits: Partial<ConnectionIdentity> = {}): ConnectionIdentity {
  return {
    id: connectionId(`connection-${++connections}`),
    tenant: DEFAULT_TENANT,
    user: user('alice'),
    roles: [],
    connectedAt: 0,
    expiresAt: Number.MAX_SAFE_INTEGER,
    mayHear: () => true,
    hearsAllChannels: false,
    ...traits,
  };
}

/** A connection whose far end the test sees. */
export type Made = Connection & { readonly sink: FakeSink };

/** A connection outside any registry. */
export function connectionOf({
  flusher = new Flusher(),
  slowReaders = new SlowReaders(new FakeClock()),
  onShed = () => undefined,
  sink = new FakeSink(),
  ...traits
}: Partial<ConnectionMeans> & { readonly sink?: FakeSink } & Partial<ConnectionIdentity> = {}): Made {
  return new Connection(identityOf(traits), sink, { flusher, slowReaders, onShed }) as Made;
}

type Token<T> = abstract new (...args: never[]) => T;

export interface EngineParts {
  readonly env?: Readonly<Record<string, string>>;
  readonly queueStore?: QueueStore;
  readonly bus?: ClusterBus;
  readonly directory?: SessionDirectory;
}

/** Makes each part once, with what its constructor asks for, as the modules do. */
class Parts {
  readonly #made = new Map<unknown, unknown>();

  bind<T>(token: Token<T>, part: T): this {
    this.#made.set(token, part);
    return this;
  }

  get<T>(token: Token<T>): T {
    const made = this.#made.get(token);
    if (made !== undefined) return made as T;
    if (!Reflect.hasMetadata(INJECTABLE_WATERMARK, token)) throw new Error(`nobody stands for ${token.name}`);
    const needs = (Reflect.getMetadata(PARAMTYPES_METADATA, token) ?? []) as Token<unknown>[];
    const make = token as unknown as new (...args: readonly unknown[]) => T;
    const part = new make(...needs.map((need) => this.get(need)));
    this.#made.set(token, part);
    return part;
  }
}

/** All of the engine, as the modules wire it, over real memory stores; only the sockets and the time are made up. */
export class Engine {
  readonly clock = new FakeClock();
  readonly metrics = new Metrics();
  readonly config: AraConfig;
  readonly queueStore: QueueStore;
  readonly ackStore = new MemoryAckStore();
  readonly #parts: Parts;
  #notifications = 0;

  constructor({ env = {}, queueStore, bus, directory }: EngineParts = {}) {
    this.config = configOf(env);
    this.queueStore = queueStore ?? new MemoryQueueStore();
    this.#parts = new Parts()
      .bind(AraConfig, this.config)
      .bind(Clock, this.clock)
      .bind(Metrics, this.metrics)
      .bind(Workers, new LoneWorker())
      .bind(Tracer, new NullTracer())
      .bind(NotificationTraces, new NotificationTraces(0))
      .bind(QueueStore, this.queueStore)
      .bind(AckStore, this.ackStore)
      .bind(ClusterBus, bus ?? new LocalClusterBus())
      .bind(SessionDirectory, directory ?? new LocalSessionDirectory());
    this.#parts.bind(OnceClaims, this.get(LocalOnceClaims));
    this.dispatcher.onModuleInit();
  }

  /** Any part by its class. */
  get<T>(token: Token<T>): T {
    return this.#parts.get(token);
  }

  get registry(): ConnectionRegistry {
    return this.get(ConnectionRegistry);
  }

  get flusher(): Flusher {
    return this.get(Flusher);
  }

  get queue(): QueueService {
    return this.get(QueueService);
  }

  get queueMetrics(): QueueMetrics {
    return this.get(QueueMetrics);
  }

  get ack(): AckService {
    return this.get(AckService);
  }

  get statistics(): DispatchStatistics {
    return this.get(DispatchStatistics);
  }

  get local(): LocalDelivery {
    return this.get(LocalDelivery);
  }

  get settlement(): SettlementService {
    return this.get(SettlementService);
  }

  get intake(): IntakeService {
    return this.get(IntakeService);
  }

  get dispatcher(): DispatcherService {
    return this.get(DispatcherService);
  }

  get replay(): ReplayService {
    return this.get(ReplayService);
  }

  get acknowledgements(): AcknowledgementService {
    return this.get(AcknowledgementService);
  }

  /** A connection that is not registered yet. */
  connection(traits: Partial<ConnectionIdentity> = {}, sink = new FakeSink()): Made {
    return connectionOf({
      connectedAt: this.clock.now(),
      ...traits,
      sink,
      flusher: this.flusher,
      slowReaders: this.get(SlowReaders),
      onShed: (count) => {
        this.statistics.countShed(count);
      },
    });
  }

  /** A registered connection; with its subscriptions, without a replay. */
  connect(
    traits: Partial<ConnectionIdentity> = {},
    { sink = new FakeSink(), channels = [] }: { sink?: FakeSink; channels?: readonly string[] } = {},
  ): Made {
    const connection = this.connection(traits, sink);
    this.registry.register(connection);
    for (const name of channels) this.registry.subscribe(connection, channel(name), 0);
    return connection;
  }

  /** A connection that opens as clients do: registered, then replayed. */
  async open(traits: Partial<ConnectionIdentity> = {}, sink = new FakeSink()): Promise<Made> {
    const connection = this.connection(traits, sink);
    this.replay.begin(connection);
    this.registry.register(connection);
    await this.replay.run(connection);
    return connection;
  }

  notification(traits: Partial<Notification> = {}): Notification {
    return {
      id: id(++this.#notifications),
      occurredAt: this.clock.now(),
      eventType: 'test',
      payload: toRawJson({ n: this.#notifications }),
      priority: 'Normal',
      source: 'http-api',
      ...traits,
    };
  }

  delivery(target: Target, traits: Partial<Delivery> = {}): Delivery {
    return { tenant: DEFAULT_TENANT, target, notification: this.notification(), ...traits };
  }

  /** Ids that the store holds for a user, oldest first. */
  async stored(name: string, of: TenantId = DEFAULT_TENANT): Promise<string[]> {
    const entries = await this.queueStore.readAfter(
      { tenant: of, user: user(name) },
      undefined,
      1000,
      this.clock.now(),
    );
    return entries.map((entry) => entry.id);
  }

  /** Lets sockets be written, receipts be called and coalesced writes reach their stores. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.queue.flush();
    }
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not a name');
  return value;
}
