import { Injectable } from '@nestjs/common';
import type { Reach } from '../cluster/cluster-bus';
import { Clock } from '../notification/clock';
import { PROBE_TENANT, type TenantId } from '../notification/ids';
import { EVERY_TENANT, TARGET_KINDS, type TargetKind, type TenantScope } from '../notification/target';
import { Metrics } from '../telemetry/metrics';

const DAY_MS = 86_400_000;
const LATENCY_BUCKETS_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];

/** What was sent, one count per notification, and what it reached, one count per connection. */
export class Tally {
  sent = 0;
  delivered = 0;
  failed = 0;
  sentToday = 0;
  deliveredToday = 0;
  failedToday = 0;
  /** Connections ever opened. */
  connectionsOpened = 0;
  #day = 0;

  /** Starts the counts of a new day at 00:00 UTC. */
  turnTo(now: number): this {
    const day = Math.floor(now / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.sentToday = this.deliveredToday = this.failedToday = 0;
    }
    return this;
  }

  countOpened(): void {
    this.connectionsOpened++;
  }

  countSent(): void {
    this.sent++;
    this.sentToday++;
  }

  countReach({ delivered, failed }: Pick<Reach, 'delivered' | 'failed'>): void {
    this.delivered += delivered;
    this.failed += failed;
    this.deliveredToday += delivered;
    this.failedToday += failed;
  }
}

/** Counts of this node: of all, by target and by tenant, the self-probe left out. O(1) per notification. */
@Injectable()
export class DispatchStatistics {
  readonly #all = new Tally();
  readonly #tenants = new Map<TenantId, Tally>();
  private readonly sent;
  private readonly delivered;
  private readonly failed;
  private readonly latency;

  constructor(
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    const byTarget = metrics.labelledCounter(
      'ara_messages_sent_total',
      'Notifications dispatched, by kind of target',
      ['target'],
      TARGET_KINDS.map((kind) => [kind]),
    );
    this.sent = {
      user: byTarget.with('user'),
      users: byTarget.with('users'),
      broadcast: byTarget.with('broadcast'),
      channel: byTarget.with('channel'),
      channels: byTarget.with('channels'),
    };
    this.delivered = metrics.counter('ara_messages_delivered_total', 'Connections that accepted a notification');
    this.failed = metrics.counter('ara_messages_failed_total', 'Connections that refused a notification');
    this.latency = metrics.histogram(
      'ara_message_delivery_latency_seconds',
      'Time from accepting a notification to handing it to its connections',
      LATENCY_BUCKETS_SECONDS,
    );
  }

  get totals(): Tally {
    return this.#all.turnTo(this.clock.now());
  }

  sentTo(kind: TargetKind): number {
    return this.sent[kind].value;
  }

  /** undefined: nothing was ever counted for this tenant. */
  ofTenant(tenant: TenantId): Tally | undefined {
    return this.#tenants.get(tenant)?.turnTo(this.clock.now());
  }

  /** `tookMs`: from taking it in to having handed it to its connections. */
  countSent(scope: TenantScope, kind: TargetKind, tookMs: number): void {
    if (scope === PROBE_TENANT) return;
    this.latency.observe(tookMs / 1000);
    this.sent[kind].inc();
    const now = this.clock.now();
    this.#all.turnTo(now).countSent();
    this.tallyOf(scope)?.turnTo(now).countSent();
  }

  countReach(scope: TenantScope, reach: Pick<Reach, 'delivered' | 'failed'>): void {
    if (scope === PROBE_TENANT) return;
    this.delivered.inc(reach.delivered);
    this.failed.inc(reach.failed);
    const now = this.clock.now();
    this.#all.turnTo(now).countReach(reach);
    this.tallyOf(scope)?.turnTo(now).countReach(reach);
  }

  /** Frames that a connection had accepted and then dropped from its backlog. */
  countShed(count: number): void {
    this.countReach(EVERY_TENANT, { delivered: 0, failed: count });
  }

  countOpened(tenant: TenantId): void {
    this.#all.countOpened();
    this.tallyOf(tenant)?.countOpened();
  }

  private tallyOf(scope: TenantScope): Tally | undefined {
    if (scope === EVERY_TENANT) return undefined;
    let tally = this.#tenants.get(scope);
    if (tally === undefined) this.#tenants.set(scope, (tally = new Tally()));
    return tally;
  }
}
