import {
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Coalescer } from '../coalescing/coalescer';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import type { NotificationId, TenantId, UserId } from '../notification/ids';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { AckMetrics } from './ack.metrics';
import { type AckOutcome, type AckRef, AckStore, type PendingAck } from './ack-store';
import { GroupAcks } from './group-acks';

const WRITES_PER_BATCH = 500;

export interface AckFigures {
  readonly tracked: number;
  readonly acked: number;
  readonly expired: number;
  /** Of all that came in time, added up. */
  readonly latencyMs: number;
}

/** The policy of acknowledgements: who is awaited how long, writes gathered into batches, sweeps, figures. */
@Injectable()
export class AckService implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(AckService.name);
  private readonly warnings: RepeatedWarnings;
  private readonly tracks: Coalescer<PendingAck, true>;
  private readonly acknowledgements: Coalescer<AckRef, AckOutcome>;
  #latencyMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: AckStore,
    private readonly config: AraConfig,
    private readonly clock: Clock,
    private readonly metrics: AckMetrics,
    private readonly groups: GroupAcks,
  ) {
    // While the store is away, every notification fails to be tracked.
    this.warnings = new RepeatedWarnings(this.logger, clock);
    const options = { maxBatch: WRITES_PER_BATCH, timeoutMs: config.store.timeoutMs };
    this.tracks = new Coalescer((items) => this.writeTracks(items), options);
    this.acknowledgements = new Coalescer((items) => store.acknowledgeMany(items, clock.now()), options);
  }

  get isEnabled(): boolean {
    return this.config.ack.enabled;
  }

  async onModuleInit(): Promise<void> {
    if (!this.isEnabled) return;
    await this.store.open();
    this.#timer = setInterval(() => void this.sweep(), this.config.ack.cleanupSeconds * 1000).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.tracks.idle(), this.acknowledgements.idle()]);
    await this.store.close();
  }

  /** Expects an acknowledgement from each user; resolves when that is recorded, and never rejects: a dead store only costs the figures. */
  async track(tenant: TenantId, notification: NotificationId, users: readonly UserId[]): Promise<void> {
    if (!this.isEnabled || users.length === 0) return;
    const sentAt = this.clock.now();
    const expiresAt = sentAt + this.config.ack.timeoutSeconds * 1000;
    try {
      await Promise.all(users.map((user) => this.tracks.submit({ tenant, notification, user, sentAt, expiresAt })));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.warnings.warn('track', `Could not track acknowledgements: ${reason}`);
    }
  }

  /** The same for the members of a broadcast or channel on this node; synchronous, one record. */
  trackGroup(tenant: TenantId, notification: NotificationId, members: Iterable<UserId>): void {
    if (!this.isEnabled) return;
    const sentAt = this.clock.now();
    const expiresAt = sentAt + this.config.ack.timeoutSeconds * 1000;
    this.metrics.tracked.inc(this.groups.track(tenant, notification, members, sentAt, expiresAt));
  }

  /** Settles one; `late` and `unknown` are refused to the client. Rejects when the store cannot be reached. */
  async acknowledge(ref: AckRef): Promise<AckOutcome> {
    const outcome = this.groups.acknowledge(ref, this.clock.now()) ?? (await this.acknowledgements.submit(ref));
    if (outcome.kind === 'acked') {
      this.metrics.received.inc();
      this.metrics.latency.observe(outcome.latencyMs / 1000);
      this.#latencyMs += outcome.latencyMs;
    } else if (outcome.kind === 'late') this.metrics.expired.inc();
    return outcome;
  }

  /** Of this process, since it started. */
  get figures(): AckFigures {
    const { tracked, received, expired } = this.metrics;
    return {
      tracked: tracked.value,
      acked: received.value,
      expired: expired.value,
      latencyMs: this.#latencyMs,
    };
  }

  /** Awaited now from the members of this process's groups. */
  get pendingInGroups(): number {
    return this.groups.pending;
  }

  /** Awaited now by the store that all share. */
  async pendingInStore(): Promise<number> {
    return this.isEnabled ? (await this.store.totals()).pending : 0;
  }

  /** Counts and removes what was not acknowledged in time; failures are logged, the next round tries again. */
  async sweep(): Promise<void> {
    const now = this.clock.now();
    this.metrics.expired.inc(this.groups.sweep(now));
    try {
      this.metrics.expired.inc(await this.store.sweep(now));
    } catch (error) {
      this.logger.warn(`Could not sweep acknowledgements: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async writeTracks(items: readonly PendingAck[]): Promise<true[]> {
    const { fresh, renewed } = await this.store.trackMany(items);
    this.metrics.tracked.inc(fresh);
    this.metrics.expired.inc(renewed);
    return items.map(() => true);
  }
}
